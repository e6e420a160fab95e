// What the console's page computes without a page: words of a command line, replies as lines, what a person
// sees of bytes, percentiles. Run by test_console.py: node console_parts.mjs FOLDER.
import assert from 'node:assert/strict';
import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = await mkdtemp(join(tmpdir(), 'kiwi-console-'));
try {
  // As modules, whatever the folder says.
  const { writeFile } = await import('node:fs/promises');
  await writeFile(join(folder, 'package.json'), '{"type": "module"}');
  for (const file of await readdir(process.argv[2])) {
    await copyFile(join(process.argv[2], file), join(folder, file));
  }
  const { split, lines } = await import(join(folder, 'shell.js'));
  const { visible, span, amount } = await import(join(folder, 'dom.js'));
  const { percentile, History } = await import(join(folder, 'plots.js'));
  const { resp } = await import(join(folder, 'api.js'));

  const text = (words) => words.map((word) => (typeof word === 'string' ? word : [...word]));
  assert.deepEqual(split('GET key'), ['GET', 'key']);
  assert.deepEqual(text(split('SET "a b\\x00\\n" \'it\\\'s\'')), ['SET', [97, 32, 98, 0, 10], "it's"]);
  assert.equal(split('GET "open'), null);
  assert.equal(split('GET "a"b'), null);
  assert.deepEqual(split('   '), []);

  assert.deepEqual(lines(7), ['(integer) 7']);
  assert.deepEqual(lines([]), ['(empty array)']);
  assert.deepEqual(lines(['a', ['b', null]]), ['1) a', '2) 1) b', '   2) (nil)']);
  assert.deepEqual(lines({ error: 'ERR no' }), ['(error) ERR no']);
  assert.deepEqual(lines('# Server\r\na:1'), ['# Server', 'a:1']);

  assert.equal(visible('a\r\n\u202eb\\'), 'a\\r\\n\\u202eb\\\\');
  assert.equal(visible({ hex: '00ff41' }), '\\x00\\xffA');
  assert.equal(visible(null), '(nil)');
  assert.equal(visible('é<b>'), 'é<b>');

  assert.equal(new TextDecoder().decode(await resp(['GET', 'é', { hex: 'ff' }]).arrayBuffer()),
               '*3\r\n$3\r\nGET\r\n$2\r\né\r\n$1\r\n\ufffd\r\n');

  const none = Array(20).fill(0);
  const some = [...none];
  some[6] = 99;
  some[18] = 1;
  assert.equal(percentile(none, none, 0.5), null);
  assert.ok(percentile(none, some, 0.5) > 5e-4 && percentile(none, some, 0.5) <= 1e-3);
  assert.ok(percentile(none, some, 0.999) > 5);

  const history = new History();
  const state = { now_ms: 1000, commands: 10, errors: 0, members: [], commit: 5, applied: 5, memory: 1,
                  service_buckets: none, sync_buckets: none, commit_buckets: none };
  history.add(state);
  history.add({ ...state, now_ms: 2000, commands: 30 });
  assert.equal(history.samples[0].commands, 20);
  history.add({ ...state, now_ms: 3000, commands: 1 });  // another process
  assert.equal(history.samples.length, 1);

  assert.equal(span(0.0000025), '3 us');
  assert.equal(amount(1536), '1.5 KiB');
} finally {
  await rm(folder, { recursive: true });
}
