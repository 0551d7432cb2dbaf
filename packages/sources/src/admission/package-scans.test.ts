import assert from 'node:assert/strict'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { memoryStore } from '@backplane/kernel'
import { temporaryDirectory } from '@backplane/testing'
import { commandScanner, type ScannedFile } from '@backplane/trust'
import { PackageScans, type PackageToScan } from './package-scans.ts'

const { signal } = new AbortController()
const files: readonly ScannedFile[] = [
  { path: 'plugin.json', bytes: Buffer.from('{}') },
  { path: 'index.js', bytes: Buffer.from("import { exec } from 'node:child_process'\nexec('ls')\n") },
]

const of = (digest: string): PackageToScan => ({ id: 'acme/s3', version: '1.0.0', requires: { api: '*' }, digest })

test('what was looked through is not read again, also after a restart; other bytes are', async () => {
  const store = memoryStore()
  let reads = 0
  const read = async (): Promise<readonly ScannedFile[]> => ((reads += 1), files)
  const first = await (
    await PackageScans.open({ store, namespace: 'demo:scans', scanners: [] })
  ).of(of('sha256:one'), read, signal)
  assert.ok(first.some(({ rule }) => rule === 'static/child-process'))
  assert.deepEqual(
    await (await PackageScans.open({ store, namespace: 'demo:scans', scanners: [] })).of(of('sha256:one'), read, signal),
    first,
  )
  assert.equal(reads, 1)
  await (await PackageScans.open({ store, namespace: 'demo:scans', scanners: [] })).of(of('sha256:two'), read, signal)
  assert.equal(reads, 2)
})

test('a scanner that could not look is asked again, and one whose answer is old as well', async (t) => {
  const root = await temporaryDirectory(t)
  const [program, calls] = [join(root, 'scanner'), join(root, 'calls')]
  await writeFile(program, `#!/bin/sh\necho . >> ${calls}\nexit 2\n`)
  await chmod(program, 0o755)
  const store = memoryStore()
  const scans = async (freshMs: number): Promise<readonly string[]> => {
    const scan = commandScanner({ name: 'demo', argv: [program] })
    const scanner = {
      name: 'demo',
      freshMs,
      by: () => program,
      scan: (_: unknown, ...given: Parameters<typeof scan>) => scan(...given),
    }
    const found = await (
      await PackageScans.open({ store, namespace: 'demo:scans', scanners: [scanner] })
    ).of(of('sha256:one'), async () => files, signal)
    return found.map(({ rule }) => rule)
  }
  assert.ok((await scans(60_000)).includes('demo/not-run'))
  await writeFile(program, `#!/bin/sh\necho . >> ${calls}\necho index.js: bad\nexit 1\n`)
  assert.ok((await scans(60_000)).includes('demo/found'))
  assert.ok((await scans(60_000)).includes('demo/found'))
  assert.equal((await readFile(calls, 'utf8')).length, 4, 'the third answer was kept')
  await scans(0)
  assert.equal((await readFile(calls, 'utf8')).length, 6)
})
