import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryDirectory } from '@backplane/testing'
import { groupTests } from './test-groups.ts'

test('files of one workspace share processes, in their order and none of them twice; scenarios run alone', async (t) => {
  const directory = await temporaryDirectory(t)
  const many = Array.from({ length: 17 }, (_, at) => `packages/a/src/${at}.test.ts`)
  const files = ['scenarios/x/x.test.ts', 'scenarios/y.test.ts', ...many, 'packages/b/src/only.test.ts', 'scripts/s.test.ts']
  const groups = groupTests(files, '/root', directory)
  assert.deepEqual(
    groups.map((path) => path.replace(directory, '')),
    [
      '/root/scenarios/x/x.test.ts',
      '/root/scenarios/y.test.ts',
      '/packages-a-1.mjs',
      '/packages-a-2.mjs',
      '/packages-a-3.mjs',
      '/root/packages/b/src/only.test.ts',
      '/root/scripts/s.test.ts',
    ],
  )
  const texts = await Promise.all([1, 2, 3].map((at) => readFile(join(directory, `packages-a-${at}.mjs`), 'utf8')))
  assert.equal(texts.join(''), many.map((file) => `import "file:///root/${file}"\n`).join(''))
})
