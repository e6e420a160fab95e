// ioredis' Cluster through a failover: argv: module directory, the nodes' ports. Prints
// "master PORT" once it writes, then keeps writing until 100 writes succeeded after the first pause
// of a failover, or 20 s passed; ends with one line of JSON.
const Redis = require(process.argv[2]);
const ports = process.argv.slice(3).map(Number);

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function masterOf(cluster) {
  return cluster.nodes('master').map((node) => node.options.port)[0];
}

async function main() {
  const cluster = new Redis.Cluster(ports.map((port) => ({ host: '127.0.0.1', port })), {
    redisOptions: { maxRetriesPerRequest: 5, connectTimeout: 2000 } });
  cluster.on('error', () => {});
  const acked = [];
  let failed = 0;
  let longest = 0;
  const errors = [];
  async function write(number) {
    const begin = Date.now();
    try {
      await cluster.set(`io:${number}`, String(number));
      acked.push(number);
    } catch (error) {
      failed += 1;
      errors.push(error.message);
      await sleep(50);
    }
    longest = Math.max(longest, Date.now() - begin);
  }
  let number = 0;
  while (acked.length < 50) await write(++number);
  const before = masterOf(cluster);
  console.log(`master ${before}`);
  const deadline = Date.now() + 20000;
  let after = 0;
  while (Date.now() < deadline && after < 100) {
    const had = acked.length;
    await write(++number);
    if (masterOf(cluster) !== before && acked.length > had) after += 1;
  }
  let lost = 0;
  for (const one of acked) {
    if (await cluster.get(`io:${one}`) !== String(one)) lost += 1;
  }
  console.log(JSON.stringify({ acked: acked.length, failed, lost, longest_ms: longest,
    master: masterOf(cluster), errors: errors.slice(0, 3) }));
  cluster.disconnect();
  process.exit(0);
}

main().catch((error) => { console.error(error); process.exit(1); });
