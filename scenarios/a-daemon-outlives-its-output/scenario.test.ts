import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { temporaryDirectory } from '@backplane/testing'
import { Hypervisord, makePlaces } from '../support/hypervisord.ts'
import { checksumOf, letGo, writeSlowProvider } from '../support/slow-provider.ts'

const firstRun = fileURLToPath(new URL('../../apps/hypersdk/host/src/first-run.ts', import.meta.url))

test('a daemon whose log nobody reads any more goes on', async (t) => {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0' })
  await letGo(places.control)
  const daemon = await Hypervisord.start(places)
  daemon.child.stdout?.destroy()
  daemon.child.stderr?.destroy()
  for (let round = 0; round < 5; round++) {
    daemon.child.kill('SIGHUP')
    assert.equal((await daemon.post('/api/plugins/reload')).status, 200)
  }
  const job = await daemon.ended(await daemon.submit({ provider: 'slow', vm_id: 'vm/1', output_dir: 'x' }))
  assert.deepEqual([job.status, job.result.checksum], ['completed', checksumOf('1.0.0')])
  assert.equal(await daemon.stop(), 0)
})

test('npm start goes on when its output is closed and its log file cannot be written, and ends with its terminal', async (t) => {
  const directory = await temporaryDirectory(t)
  const flags = ['--disable-sigusr1', '--conditions=@backplane/source', firstRun]
  const env = { PATH: process.env['PATH'], HOME: directory }
  const child = spawn(process.execPath, flags, { cwd: directory, env, stdio: ['ignore', 'pipe', 'pipe'] })
  t.after(() => child.kill('SIGKILL'))
  let text = ''
  const url = await new Promise<string>((resolve, reject) => {
    child.once('exit', () => reject(new Error(text)))
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const found = /serves (http:\S+) /.exec(text)?.[1]
      if (found !== undefined && text.includes('Ctrl-C stops.')) resolve(found)
    })
  })
  child.stdout.destroy()
  child.stderr.destroy()
  await rm(join(directory, '.hypersdk'), { recursive: true, force: true })
  assert.equal((await fetch(`${url}/healthz`)).status, 200)
  const exited = once(child, 'exit')
  child.kill('SIGHUP')
  await exited
  assert.equal(child.signalCode, null)
})
