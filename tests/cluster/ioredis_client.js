// ioredis, unmodified, against one node: prints "ok" or throws. argv: module directory, port.
const Redis = require(process.argv[2]);

function expect(actual, wanted, what) {
  if (JSON.stringify(actual) !== JSON.stringify(wanted)) {
    throw new Error(`${what}: ${JSON.stringify(actual)} instead of ${JSON.stringify(wanted)}`);
  }
}

async function main() {
  const redis = new Redis(Number(process.argv[3]), '127.0.0.1', {
    maxRetriesPerRequest: 1, connectionName: 'from-ioredis', enableReadyCheck: true });
  await redis.flushdb();
  expect(await redis.set('a', '1'), 'OK', 'set');
  expect(await redis.get('a'), '1', 'get');
  expect(await redis.incrby('a', 41), 42, 'incrby');
  expect(await redis.client('GETNAME'), 'from-ioredis', 'client name');
  expect(await redis.pipeline().set('b', 'x').get('b').del('b').exec(),
         [[null, 'OK'], [null, 'x'], [null, 1]], 'pipeline');
  expect(await redis.multi().incr('m').incr('m').exec(), [[null, 1], [null, 2]], 'multi');
  await redis.rpush('l', 'x', 'y', 'z');
  expect(await redis.lrange('l', 0, -1), ['x', 'y', 'z'], 'lrange');
  await redis.sadd('s', 'p', 'q');
  expect((await redis.smembers('s')).sort(), ['p', 'q'], 'smembers');
  expect(await redis.set('ttl', 'v', 'EX', 100), 'OK', 'set ex');
  expect((await redis.ttl('ttl')) > 90, true, 'ttl');
  const keys = [];
  for await (const page of redis.scanStream({ count: 2 })) keys.push(...page);
  expect([...new Set(keys)].sort(), ['a', 'l', 'm', 's', 'ttl'], 'scanStream');
  expect(Buffer.compare(await redis.getBuffer('a'), Buffer.from('42')), 0, 'getBuffer');
  await redis.get('l').then(() => { throw new Error('no WRONGTYPE'); },
                            (error) => expect(error.message.split(' ')[0], 'WRONGTYPE', 'error'));
  await redis.quit();
  console.log('ok');
}

main().catch((error) => { console.error(error); process.exit(1); });
