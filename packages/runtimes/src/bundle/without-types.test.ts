import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { temporaryDirectory } from '@backplane/testing'

test('what was stripped is kept beside what Node compiled, and a place that cannot be written to costs nothing but time', async (t) => {
  const place = await temporaryDirectory(t)
  const lines = ['export const first: number = 1', 'export const second: string = ""']
  const program = `
    import { withoutTypes } from ${JSON.stringify(new URL('without-types.ts', import.meta.url).href)}
    console.log(JSON.stringify(await Promise.all(${JSON.stringify([...lines, ...lines])}.map(withoutTypes))))`
  const run = promisify(execFile)
  const stripped = async (): Promise<string[]> => {
    const args = ['--conditions=@backplane/source', '--input-type=module', '-e', program]
    return JSON.parse((await run(process.execPath, args, { env: { NODE_COMPILE_CACHE: place } })).stdout) as string[]
  }
  const first = await stripped()
  assert.deepEqual(first.slice(0, 2), first.slice(2))
  assert.ok(
    first.every((script) => /^export const \w+ += /.test(script)),
    first.join(),
  )
  const [version = assert.fail()] = await readdir(place)
  const kept = join(place, version, 'stripped')
  assert.equal((await readdir(kept)).filter((name) => /^[0-9a-f]{64}\.js$/.test(name)).length, lines.length)
  assert.deepEqual(await stripped(), first)
  assert.equal((await readdir(kept)).length, lines.length, 'nothing half-written stays')
  await rm(kept, { recursive: true })
  await writeFile(kept, 'no directory')
  assert.deepEqual(await stripped(), first)
})
