// ioredis by Sentinel through a failover: argv: module directory, the sentinels' ports. Prints
// "master PORT" once it writes, then keeps writing until 100 writes succeeded after the first pause
// of a failover, or 20 s passed; ends with one line of JSON.
const Redis = require(process.argv[2]);
const ports = process.argv.slice(3).map(Number);

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function masterOf(client) {
  return client.stream ? client.stream.remotePort : 0;
}

async function main() {
  const client = new Redis({ name: 'mymaster', role: 'master', failoverDetector: true,
    sentinels: ports.map((port) => ({ host: '127.0.0.1', port })), connectTimeout: 2000 });
  client.on('error', () => {});
  const acked = [];
  let failed = 0;
  let longest = 0;
  const errors = [];
  async function write(number) {
    const begin = Date.now();
    try {
      await client.set(`io:${number}`, String(number));
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
  const before = masterOf(client);
  console.log(`master ${before}`);
  const deadline = Date.now() + 20000;
  let after = 0;
  while (Date.now() < deadline && after < 100) {
    const had = acked.length;
    await write(++number);
    if (masterOf(client) !== before && acked.length > had) after += 1;
  }
  let lost = 0;
  for (const one of acked) {
    if (await client.get(`io:${one}`) !== String(one)) lost += 1;
  }
  console.log(JSON.stringify({ acked: acked.length, failed, lost, longest_ms: longest,
    master: masterOf(client), errors: errors.slice(0, 3) }));
  client.disconnect();
  process.exit(0);
}

main().catch((error) => { console.error(error); process.exit(1); });
