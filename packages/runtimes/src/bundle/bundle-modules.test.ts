import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { temporaryDirectory } from '@backplane/testing'
import { bundleModules } from './bundle-modules.ts'

/** Writes modules and answers the text of their bundle and what it exports. */
async function bundled(
  t: TestContext,
  files: Readonly<Record<string, string>>,
): Promise<{ text: string; exports: Record<string, unknown> }> {
  const root = await temporaryDirectory(t)
  for (const [name, text] of Object.entries(files)) await writeFile(join(root, name), text)
  const text = await bundleModules({
    entry: pathToFileURL(join(root, 'entry.ts')).href,
    external: { outside: './outside.mjs' },
    form: 'module',
  })
  await writeFile(join(root, 'outside.mjs'), "export const there = 'outside'")
  await writeFile(join(root, 'bundle.mjs'), text)
  return { text, exports: (await import(pathToFileURL(join(root, 'bundle.mjs')).href)) as Record<string, unknown> }
}

test('a bundle exports what its entry does, without types and other files', async (t) => {
  const { exports } = await bundled(t, {
    'entry.ts': `import { join } from 'node:path'
import { there } from 'outside'
import { value as renamed, type Kind } from './one.ts'
import * as two from './two.ts'
export { value, Shape } from './one.ts'
export * from './two.ts'
export type { Kind } from './one.ts'
const kind: Kind = 'a'
export const all: string = [join('a', 'b'), there, renamed, two.second(), kind].join()
export async function later(): Promise<number> { return 1 }
const local = 5
export { local as listed }
`,
    'one.ts': "export type Kind = 'a' | 'b'\nexport const value = 'one'\nexport class Shape {}\n",
    'two.ts':
      "import { value } from './one.ts'\nexport function second(): string { return `two of ${value}` }\nexport function* many() { yield 1 }\n",
  })
  assert.equal(exports['all'], 'a/b,outside,one,two of one,a')
  assert.deepEqual(Object.keys(exports).toSorted(), ['Shape', 'all', 'later', 'listed', 'many', 'second', 'value'])
  assert.equal(exports['listed'], 5)
})

test('a program is CommonJS that imports later what it likes', async (t) => {
  const root = await temporaryDirectory(t)
  await writeFile(
    join(root, 'entry.ts'),
    "import { basename } from 'node:path'\nimport { there } from 'outside'\nconst url: string = 'node:os'\nvoid import(url).then((os) => console.log(basename('/a/b'), there, typeof os.cpus))\n",
  )
  await writeFile(join(root, 'outside.mjs'), "export const there = 'outside'")
  const text = await bundleModules({
    entry: pathToFileURL(join(root, 'entry.ts')).href,
    external: { outside: './outside.mjs' },
    form: 'program',
  })
  await writeFile(join(root, 'program.cjs'), text)
  const { stdout } = await promisify(execFile)(process.execPath, [join(root, 'program.cjs')])
  assert.equal(stdout, 'b outside function\n')
})

test('what is passed on by another module is taken from where it is, and the rest left out', async (t) => {
  const { text, exports } = await bundled(t, {
    'entry.ts': "import { wanted as mine, deep } from './index.ts'\nexport const got = [mine, deep].join()\n",
    'index.ts':
      "/** Passes on. */\nexport { unwanted } from './unwanted.ts'\nexport { original as wanted } from './wanted.ts'\nexport * from './deep.ts'\n",
    'wanted.ts': "export const original = 'wanted'\n",
    'unwanted.ts': "import 'node:worker_threads'\nexport const unwanted = 'unwanted'\n",
    'deep.ts': "export const deep = 'deep'\n",
  })
  assert.equal(exports['got'], 'wanted,deep')
  assert.doesNotMatch(text, /unwanted/)
})

for (const [what, entry] of [
  ['a default export', 'export default 1\n'],
  ['an exported variable', 'export let count = 1\n'],
  ['a cycle', "import { all } from './entry.ts'\nexport const other = all\n"],
  ['a name that is not there', "import { nothing } from './index.ts'\nexport const all = nothing\n"],
] as const) {
  test(`${what} is refused`, async (t) => {
    await assert.rejects(
      bundled(t, { 'entry.ts': entry, 'index.ts': "export { one } from './one.ts'\n", 'one.ts': 'export const one = 1\n' }),
    )
  })
}
