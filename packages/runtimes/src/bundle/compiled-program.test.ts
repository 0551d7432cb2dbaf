import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { temporaryDirectory } from '@backplane/testing'
import { compileProgram, launcherOf } from './compiled-program.ts'

const program = `'use strict'
const { word } = require('./beside.cjs')
async function main() {
  const { default: imported } = await import('data:text/javascript,export default "imported"')
  console.log(word, imported, process.argv[2])
}
main()
`

test('a compiled program requires what lies beside it, imports by URL and sees its arguments', async (t) => {
  const main = await laidOut(t, compileProgram(program))
  assert.equal(await run(main), 'beside imported told\n')
})

test('what another version of the engine compiled is passed over, and the program runs all the same', async (t) => {
  const { text, code } = compileProgram(program)
  for (const unusable of [Buffer.alloc(0), Buffer.alloc(code.length, 7), Buffer.concat([Buffer.alloc(16), code.subarray(16)])]) {
    assert.equal(await run(await laidOut(t, { text, code: unusable })), 'beside imported told\n')
  }
})

async function laidOut(t: TestContext, { text, code }: { text: string; code: Buffer }): Promise<string> {
  const directory = await temporaryDirectory(t)
  const main = join(directory, 'main.cjs')
  await Promise.all([
    writeFile(main, launcherOf('body.js', 'body.code')),
    writeFile(join(directory, 'body.js'), text),
    writeFile(join(directory, 'body.code'), code),
    writeFile(join(directory, 'beside.cjs'), `exports.word = 'beside'`),
  ])
  return main
}

async function run(main: string): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [main, 'told'], { env: {} })
  assert.equal(stderr, '')
  return stdout
}
