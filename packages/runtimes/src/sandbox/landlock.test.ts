import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Enforcement } from '@backplane/kernel'
import { requireProgram } from '@backplane/testing'
import { programText } from '../bundle/guest-files.ts'
import { landlockAbi, landlockCommand } from './landlock.ts'

/** An ordinary user, when this one is root: Landlock stands in for bubblewrap only there. */
const asOrdinaryUser =
  process.getuid?.() === 0 ? ['/usr/bin/setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'] : []

test('where bubblewrap builds nothing, Landlock stands around a plugin, as the weaker thing it is', { timeout: 60_000 }, (t) => {
  if (!requireProgram(t, 'setpriv', 'util-linux')) return
  const conditions = process.execArgv.filter((arg) => arg.startsWith('--conditions'))
  const program = fileURLToPath(new URL(`../fixtures/landlocked.ts`, import.meta.url))
  const [command, ...args] = [...asOrdinaryUser, process.execPath, '--no-warnings', ...conditions, program]
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 60_000 })
  assert.match(stdout, /^\{/, stderr)
  const { enforcement, withPrograms, answers, ended } = JSON.parse(stdout) as {
    readonly enforcement: readonly Enforcement[]
    readonly withPrograms: readonly Enforcement[]
    readonly answers: Readonly<Record<string, { readonly value?: unknown; readonly code?: string }>>
    readonly ended: unknown
  }
  const [sandbox, ...permissions] = enforcement
  assert.deepEqual([sandbox?.what, sandbox?.level], ['sandbox', 'coarse'])
  assert.match(sandbox?.mechanism ?? '', /^Landlock ABI \d+ and a system-call filter.*apt-get install bubblewrap$/)
  assert.ok(permissions.filter(({ what }) => !what.startsWith('limit:')).every(({ level }) => level === 'exact'))
  assert.equal(withPrograms[0]?.level, 'none', 'programs need namespaces')
  assert.deepEqual(answers, {
    signal: { code: 'EPERM' },
    setId: { code: 'EPERM' },
    environment: { value: {} },
    read: { code: 'ERR_ACCESS_DENIED' },
    connect: { value: 'connected' },
    connectElsewhere: { code: 'EGRESS_DENIED' },
    write: {},
  })
  assert.deepEqual(ended, { kind: 'stopped' })
})

test('Landlock alone keeps a process from other files, connections, programs and signals', async (t) => {
  assert.ok(landlockAbi() >= 6, `Landlock ABI ${landlockAbi()}`)
  const directory = mkdtempSync(join(realpathSync(tmpdir()), 'backplane-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const launcher = join(directory, 'landlock.cjs')
  writeFileSync(launcher, await programText('landlock'))
  const attack = `
    const tried = (attempt) => { try { attempt(); return 'done' } catch (error) { return error.code } }
    const fs = require('node:fs')
    const found = {
      own: tried(() => fs.readFileSync(__filename)),
      outside: tried(() => fs.readFileSync('/etc/passwd')),
      list: tried(() => fs.readdirSync('/')),
      write: tried(() => fs.writeFileSync(__filename + '.new', '')),
      signal: tried(() => process.kill(${process.pid}, 0)),
      shell: require('node:child_process').spawnSync('/bin/sh', ['-c', 'true']).error?.code,
    }
    require('node:net').connect(9, '127.0.0.1').on('error', ({ code }) => console.log(JSON.stringify({ ...found, connect: code })))
  `
  const script = join(directory, 'attack.cjs')
  writeFileSync(script, attack)
  const [command, ...args] = [
    ...landlockCommand({ launcher, reads: [directory], writes: [], keep: [] }),
    process.execPath,
    script,
  ]
  const { stdout, stderr } = spawnSync(command, args, { env: {}, encoding: 'utf8', timeout: 30_000 })
  assert.deepEqual(JSON.parse(stdout || JSON.stringify(stderr)), {
    own: 'done',
    outside: 'EACCES',
    list: 'EACCES',
    write: 'EACCES',
    signal: 'EPERM',
    shell: 'EACCES',
    connect: 'EAFNOSUPPORT',
  })
})
