// The agent for kafkajs. It reads only in groups, so this one produces and administers; see agent.py for the manner.
'use strict';

const { Kafka, CompressionTypes, CompressionCodecs, ConfigResourceTypes, logLevel } = require('kafkajs');
const snappy = require('kafkajs-snappy');
const lz4 = require('lz4-napi');
const { ZstdCodec } = require('zstd-codec');
const { decode, serve } = require('./agent.js');

// kafkajs compresses with gzip by itself, and takes the other codecs from outside.
CompressionCodecs[CompressionTypes.Snappy] = snappy;
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: (encoder) => lz4.compressFrame(encoder.buffer),
  decompress: (buffer) => lz4.decompressFrame(buffer),
});
const zstd = new Promise((resolve) => ZstdCodec.run((library) => resolve(new library.Simple())));
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async (encoder) => Buffer.from((await zstd).compress(encoder.buffer)),
  decompress: async (buffer) => Buffer.from((await zstd).decompress(buffer)),
});

const CODECS = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
};
const ACKS = { 0: 0, 1: 1, all: -1 };

const kafka = new Kafka({ clientId: 'agent', brokers: [process.argv[2]], logLevel: logLevel.ERROR });

// kafkajs takes headers as an object, in which a repeated name has a list of values.
function headers(pairs) {
  const grouped = {};
  for (const [name, value] of pairs) (grouped[name] ??= []).push(decode(value));
  return grouped;
}

async function withAdmin(act) {
  const admin = kafka.admin();
  await admin.connect();
  try {
    return await act(admin);
  } finally {
    await admin.disconnect();
  }
}

const commands = {
  hello: async () => ({ name: 'kafkajs', version: require('kafkajs/package.json').version }),

  produce: async (command) => {
    const producer = kafka.producer({ idempotent: command.idempotent, maxInFlightRequests: 1 });
    await producer.connect();
    try {
      const [outcome] = await producer.send({
        topic: command.topic,
        acks: ACKS[command.acks],
        compression: CODECS[command.codec],
        messages: command.records.map((record) => ({
          key: decode(record.key),
          value: decode(record.value),
          headers: headers(record.headers),
          timestamp: String(record.timestamp),
          partition: command.partition,
        })),
      }) ?? [];
      if (command.acks === '0') return { offsets: null };
      // One batch a call: its first offset tells the others.
      return { offsets: command.records.map((_, index) => Number(outcome.baseOffset) + index) };
    } finally {
      await producer.disconnect();
    }
  },

  offsets: async (command) => withAdmin(async (admin) => {
    const find = (partitions) => partitions.find(({ partition }) => partition === command.partition);
    const ends = find(await admin.fetchTopicOffsets(command.topic));
    const found = find(await admin.fetchTopicOffsetsByTimestamp(command.topic, command.timestamp));
    const [beginning, end, at] = [ends.low, ends.high, found.offset].map(Number);
    // kafkajs answers the end when no record is so young.
    return { beginning, end, at: at < 0 || at === end ? null : at };
  }),

  create: async (command) => withAdmin(async (admin) => {
    const topics = [{ topic: command.topic, numPartitions: command.partitions, replicationFactor: 1 }];
    if (!await admin.createTopics({ topics, waitForLeaders: true })) throw new Error('the topic exists');
  }),

  delete: async (command) => withAdmin((admin) => admin.deleteTopics({ topics: [command.topic] })),

  grow: async (command) => withAdmin((admin) => admin.createPartitions({
    topicPartitions: [{ topic: command.topic, count: command.partitions }],
  })),

  configure: async (command) => withAdmin(async (admin) => {
    const configEntries = Object.entries(command.configs).map(([name, value]) => ({ name, value }));
    const resources = [{ type: ConfigResourceTypes.TOPIC, name: command.topic, configEntries }];
    await admin.alterConfigs({ validateOnly: false, resources });
  }),

  configured: async (command) => withAdmin(async (admin) => {
    const resources = [{ type: ConfigResourceTypes.TOPIC, name: command.topic }];
    const described = await admin.describeConfigs({ includeSynonyms: false, resources });
    const entries = described.resources[0].configEntries;
    return { configs: Object.fromEntries(entries.map(({ configName, configValue }) => [configName, configValue])) };
  }),

  shorten: async (command) => withAdmin(async (admin) => {
    const partitions = [{ partition: command.partition, offset: String(command.offset) }];
    // kafkajs finds the leader only of topics that this administrator has asked for.
    await admin.fetchTopicOffsets(command.topic);
    await admin.deleteTopicRecords({ topic: command.topic, partitions });
    // kafkajs does not hand the new beginning back.
    return { beginning: command.offset };
  }),

  topics: async () => withAdmin(async (admin) => {
    const { topics } = await admin.fetchTopicMetadata();
    return { topics: Object.fromEntries(topics.map(({ name, partitions }) => [name, partitions.length])) };
  }),
};

serve(commands);
