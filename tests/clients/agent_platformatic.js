// The agent for @platformatic/kafka. It reads only in groups, so each reading has a group of its own and explicit offsets.
'use strict';

const { PATIENCE, decode, encode, serve } = require('./agent.js');

const EMPTY = Buffer.alloc(0);
const ACKS = { 0: 0, 1: 1, all: -1 };
const TOPIC = 2;
const SET = 0;

let client;
let common;
let admin;
let reading;

// Headers are a map, in which two buffers are two names though they hold the same bytes.
const headers = (pairs) => new Map(pairs.map(([name, value]) => [Buffer.from(name), decode(value)]));

async function withConsumer(act) {
  const consumer = new client.Consumer({ ...common, groupId: 'unused' });
  try {
    return await act(consumer);
  } finally {
    await consumer.close();
  }
}

async function offsetAt(consumer, { topic, partition }, timestamp) {
  const offsets = await consumer.listOffsets({ topics: [topic], partitions: { [topic]: [partition] }, timestamp });
  return offsets.get(topic)[partition];
}

// Where `start` lies.
function find(command, start) {
  const { LATEST, EARLIEST } = client.ListOffsetTimestamps;
  const timestamp = { beginning: EARLIEST, end: LATEST }[start.at] ?? BigInt(start.timestamp);
  return withConsumer((consumer) => offsetAt(consumer, command, timestamp));
}

async function close() {
  const { consumer, stream } = reading ?? {};
  reading = undefined;
  await stream?.close();
  await consumer?.close();
}

const commands = {
  hello: async () => ({ name: '@platformatic/kafka', version: client.clientSoftwareVersion }),

  produce: async (command) => {
    const producer = new client.Producer({ ...common, idempotent: command.idempotent, autocreateTopics: true });
    try {
      const { offsets } = await producer.send({
        acks: ACKS[command.acks],
        compression: command.codec,
        messages: command.records.map((record) => ({
          topic: command.topic,
          partition: command.partition,
          key: decode(record.key),
          value: decode(record.value),
          headers: headers(record.headers),
          timestamp: BigInt(record.timestamp),
        })),
      });
      if (command.acks === '0') return { offsets: null };
      // One batch a call: its first offset tells the others.
      return { offsets: command.records.map((_, index) => Number(offsets[0].offset) + index) };
    } finally {
      await producer.close();
    }
  },

  open: async (command) => {
    await close();
    const { topic, partition, start } = command;
    const offset = 'offset' in start ? BigInt(start.offset) : await find(command, start);
    const consumer = new client.Consumer({
      ...common, groupId: `reading-${process.hrtime.bigint()}`, groupProtocol: 'consumer', maxWaitTime: 100, autocommit: false,
    });
    reading = { consumer };
    const offsets = [{ topic, partition, offset }];
    reading.stream = await consumer.consume({ topics: [topic], mode: 'manual', offsets });
    reading.partition = partition;
    return { position: Number(offset) };
  },

  take: async (command) => {
    const records = [];
    const { stream, partition } = reading;
    const late = setTimeout(() => stream.destroy(new Error(`${records.length} of ${command.count} records came`)), PATIENCE);
    try {
      for await (const message of stream.iterator({ destroyOnReturn: false })) {
        // The group has been given every partition.
        if (message.partition !== partition) continue;
        records.push({
          offset: Number(message.offset),
          timestamp: Number(message.timestamp),
          key: encode(message.key),
          value: encode(message.value),
          headers: [...message.headers].map(([name, value]) => [(name ?? EMPTY).toString(), encode(value)]),
        });
        if (records.length === command.count) break;
      }
    } finally {
      clearTimeout(late);
    }
    return { records };
  },

  close,

  offsets: async (command) => withConsumer(async (consumer) => {
    const { LATEST, EARLIEST } = client.ListOffsetTimestamps;
    const [beginning, end, at] = [
      await offsetAt(consumer, command, EARLIEST),
      await offsetAt(consumer, command, LATEST),
      await offsetAt(consumer, command, BigInt(command.timestamp)),
    ].map(Number);
    return { beginning, end, at: at < 0 ? null : at };
  }),

  create: ({ topic, partitions }) => admin.createTopics({ topics: [topic], partitions, replicas: 1 }).then(() => {}),

  delete: ({ topic }) => admin.deleteTopics({ topics: [topic] }),

  grow: ({ topic, partitions }) => admin.createPartitions({ topics: [{ name: topic, count: partitions }] }),

  configure: async ({ topic, configs }) => {
    const entries = Object.entries(configs).map(([name, value]) => ({ name, value, configOperation: SET }));
    await admin.incrementalAlterConfigs({ resources: [{ resourceType: TOPIC, resourceName: topic, configs: entries }] });
  },

  configured: async ({ topic }) => {
    const [described] = await admin.describeConfigs({ resources: [{ resourceType: TOPIC, resourceName: topic }] });
    return { configs: Object.fromEntries(described.configs.map(({ name, value }) => [name, value])) };
  },

  shorten: async ({ topic, partition, offset }) => {
    const [deleted] = await admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition, offset: BigInt(offset) }] }] });
    return { beginning: Number(deleted.partitions[0].lowWatermark) };
  },

  topics: async () => {
    const topics = await admin.listTopics();
    const metadata = await admin.metadata({ topics, forceUpdate: true });
    return { topics: Object.fromEntries([...metadata.topics].map(([name, { partitionsCount }]) => [name, partitionsCount])) };
  },
};

require('./zstd.js').then(() => {
  client = require('@platformatic/kafka');
  common = { clientId: 'agent', bootstrapBrokers: [process.argv[2]], timeout: PATIENCE };
  admin = new client.Admin(common);
  return serve(commands);
});
