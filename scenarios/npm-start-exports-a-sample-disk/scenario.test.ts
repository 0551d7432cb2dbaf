import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import { compiledCode, temporaryDirectory } from '@backplane/testing'

const program = fileURLToPath(new URL('../../apps/hypersdk/host/src/first-run.ts', import.meta.url))

/** Runs it until it has printed what to try next, and that was tried, interrupts it, and answers what it wrote and its exit code. */
async function startAndInterrupt(
  directory: string,
  tryNext: (text: string) => Promise<void> = async () => undefined,
): Promise<{ text: string; code: number | null }> {
  const flags = ['--disable-sigusr1', '--conditions=@backplane/source', program]
  const child = spawn(process.execPath, flags, {
    cwd: directory,
    env: { ...compiledCode, PATH: process.env['PATH'], HOME: directory },
  })
  let text = ''
  const ready = Promise.withResolvers<void>()
  const take = (chunk: Buffer): void => {
    text += chunk.toString()
    if (text.includes('Ctrl-C stops.')) ready.resolve()
  }
  child.stdout.on('data', take)
  child.stderr.on('data', take)
  const exited = once(child, 'exit')
  await Promise.race([ready.promise, exited])
  if (child.exitCode === null) await tryNext(text)
  child.kill('SIGINT')
  await exited
  return { text, code: child.exitCode }
}

test('npm start makes its sample, exports it, prints the verified checksum, and Ctrl-C ends it with 0; twice', async (t) => {
  const directory = await temporaryDirectory(t)
  const first = await startAndInterrupt(directory, async (text) => {
    // As it says: it goes on serving, to whom has its token.
    const [, token = '', address = ''] = /-H "Authorization: Bearer \$\(cat (\S+)\)" (\S+)/.exec(text) ?? []
    const headers = { authorization: `Bearer ${(await readFile(join(directory, token), 'utf8')).trim()}` }
    const answer = await fetch(address, { headers })
    const { vms } = (await answer.json()) as { readonly vms: readonly { readonly id: string }[] }
    assert.ok(
      vms.some(({ id }) => id === 'sample-server.raw'),
      JSON.stringify(vms),
    )
  })
  assert.equal(first.code, 0, first.text)
  assert.match(first.text, /█+░* +\d+ %  [\d.]+ MiB/, 'how far it is')
  assert.match(first.text, /made \.hypersdk\/disks\/sample-server\.raw/)
  assert.match(first.text, /SHA-256 [0-9a-f]{64}, verified/)
  assert.match(first.text, /holes stay holes/)
  assert.match(first.text, /curl --unix-socket \.hypersdk\/hypervisord\.sock/)
  const second = await startAndInterrupt(directory)
  assert.equal(second.code, 0, second.text)
  assert.doesNotMatch(second.text, /made /)
  assert.match(second.text, /SHA-256 [0-9a-f]{64}, verified/)
})

test('npm start with a busy port takes another one and says so', async (t) => {
  const directory = await temporaryDirectory(t)
  const busy = createServer()
  t.after(() => busy.close())
  const taken = Promise.withResolvers<void>()
  busy.once('listening', taken.resolve)
  busy.once('error', () => taken.resolve())
  busy.listen(8080, '127.0.0.1')
  await taken.promise
  const { text, code } = await startAndInterrupt(directory)
  assert.equal(code, 0, text)
  assert.match(text, /port 8080 is busy, another is used/)
})

test('npm start in a directory too deep for a socket serves over TCP alone', async (t) => {
  const directory = join(await temporaryDirectory(t), 'deep'.repeat(20))
  await mkdir(directory)
  const { text, code } = await startAndInterrupt(directory)
  assert.equal(code, 0, text)
  assert.match(text, /SHA-256 [0-9a-f]{64}, verified/)
  assert.match(text, /export HYPERSDK_URL=http:/)
  assert.doesNotMatch(text, /--unix-socket/)
})
