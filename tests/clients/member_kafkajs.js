// A member of a group by kafkajs: see "Members" in README.md.
'use strict';

const { Kafka, logLevel } = require('kafkajs');

const [bootstrap, groupId, topic] = process.argv.slice(2);
const kafka = new Kafka({
  clientId: 'member', brokers: [bootstrap], logLevel: logLevel.NOTHING, retry: { maxRetryTime: 500, retries: 1000 },
});
const consumer = kafka.consumer({
  groupId, sessionTimeout: 3000, heartbeatInterval: 300, rebalanceTimeout: 10000, maxWaitTimeInMs: 100,
});

async function main() {
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch, resolveOffset, commitOffsetsIfNecessary, uncommittedOffsets }) => {
      const read = batch.messages.map(({ offset }) => [batch.partition, Number(offset)]);
      console.log(JSON.stringify(read));
      resolveOffset(batch.lastOffset());
      await commitOffsetsIfNecessary(uncommittedOffsets());
    },
  });
  await new Promise((resolve) => process.stdin.on('data', () => {}).on('end', resolve));
  await consumer.disconnect();
}

main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
