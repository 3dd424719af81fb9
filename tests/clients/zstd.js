// Node has zstd since 22.15, and @platformatic/kafka takes it from Node alone. An older Node is given the functions that it lacks, so that
// the client, which is not touched, finds them; what they compress by is the codec of kafkajs.
'use strict';

const zlib = require('node:zlib');
const { ZstdCodec } = require('zstd-codec');

// Resolves when `node:zlib` has both functions: before the client is loaded, which looks for them once.
module.exports = new Promise((resolve) => {
  if (zlib.zstdCompressSync) return resolve();
  return ZstdCodec.run((library) => {
    const [whole, piecemeal] = [new library.Simple(), new library.Streaming()];
    zlib.zstdCompressSync = (data) => Buffer.from(whole.compress(data));
    // Not every client says how much it has compressed.
    zlib.zstdDecompressSync = (data) => Buffer.from(piecemeal.decompress(data));
    resolve();
  });
});
