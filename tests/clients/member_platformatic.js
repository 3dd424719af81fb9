// A member of a group by @platformatic/kafka: see "Members" in README.md.
'use strict';

const { Consumer } = require('@platformatic/kafka');

const [bootstrap, groupId, topic, kind, instance] = process.argv.slice(2);
const classic = {
  groupProtocol: 'classic', sessionTimeout: 3000, heartbeatInterval: 300, rebalanceTimeout: 10000,
  ...(instance ? { groupInstanceId: instance } : {}),
};
const consumer = new Consumer({
  clientId: 'member', bootstrapBrokers: [bootstrap], groupId, maxWaitTime: 100, autocommit: false, retryDelay: 200, retries: true,
  ...(kind === 'consumer' ? { groupProtocol: kind } : classic),
});
consumer.on('error', console.error);

let ended = false;

async function read() {
  const stream = await consumer.consume({ topics: [topic], mode: 'committed', fallbackMode: 'earliest' });
  const end = () => stream.close();
  process.stdin.once('end', end);
  try {
    const [read, last] = [[], new Map()];
    for await (const message of stream) {
      read.push([message.partition, Number(message.offset)]);
      last.set(message.partition, message);
      if (stream.readableLength > 0) continue;
      console.log(JSON.stringify(read));
      await Promise.all([...last.values()].map(({ commit }) => commit()));
      read.length = 0;
      last.clear();
    }
  } finally {
    process.stdin.off('end', end);
  }
}

async function main() {
  process.stdin.on('data', () => {}).on('end', () => { ended = true; });
  while (!ended) {
    // A commit that a rebalance or a dead broker has overtaken ends the stream: what it stood for is read again.
    await read().catch(console.error);
  }
  await consumer.close(true);
}

main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
