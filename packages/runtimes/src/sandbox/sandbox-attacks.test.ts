import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdir, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { requireProgram } from '@backplane/testing'
import { BareSandbox, type BareOptions } from '../fixtures/bare-sandbox.ts'
import { syscallNumber, type TableArchitecture } from './syscall-numbers.ts'

describe('in a sandbox, without the permission model of Node, a plugin', { concurrency: 2 }, () => {
  const rule = (title: string, check: (sandbox: BareSandbox, t: TestContext) => Promise<void>): void => {
    test(title, { timeout: 60_000 }, async (t) => {
      if (requireProgram(t, 'bwrap', 'bubblewrap')) await check(await BareSandbox.make(t), t)
    })
  }

  rule('finds no file it was not granted', async (sandbox) => {
    for (const path of ['/etc/passwd', '/etc/shadow', sandbox.path('secret'), `/proc/${process.pid}/environ`]) {
      await stopped(sandbox, /ENOENT/, 'read', { path })
    }
    const { outcome } = await sandbox.run('list', { path: '/' })
    const entries = outcome.value as readonly string[]
    for (const name of ['etc', 'home', 'root', 'sys', 'var', 'boot']) assert.equal(entries.includes(name), false, name)
  })

  rule('writes nothing but in its own directories', async (sandbox) => {
    for (const path of ['/new', '/dev/new', join(import.meta.dirname, 'new'), '/proc/sys/kernel/core_pattern']) {
      await stopped(sandbox, /EROFS|EACCES|ENOENT|EPERM/, 'write', { path })
    }
    // What lies in the machine's /tmp lies in the sandbox's own there.
    await sandbox.run('write', { path: sandbox.path('new') })
    for (const attack of ['rewriteSelf', 'addToSelf']) await stopped(sandbox, /EROFS/, attack)
    await stopped(sandbox, /EACCES|EROFS|EPERM/, 'openForWriting', { path: '/proc/sys/kernel/core_pattern' })
    assert.deepEqual((await readdir(sandbox.root)).toSorted(), ['data', 'exchange', 'filters', 'secret'])
  })

  rule('follows no link out, neither one it made nor one that was there', async (sandbox) => {
    await symlink(sandbox.path('secret'), sandbox.path('data/planted'))
    await stopped(sandbox, /ENOENT/, 'read', { path: sandbox.path('data/planted') })
    await stopped(sandbox, /ENOENT/, 'symlink', { target: sandbox.path('secret') })
    await stopped(sandbox, /ENOENT|EXDEV|EPERM/, 'hardLink', { target: sandbox.path('secret') })
  })

  rule('sees no process of the machine and none of its secrets', async (sandbox, t) => {
    process.env['BACKPLANE_TEST_SECRET'] = 'canary-in-the-environment'
    t.after(() => delete process.env['BACKPLANE_TEST_SECRET'])
    const { outcome } = await sandbox.run('processes')
    assert.ok((outcome.value as readonly string[]).length <= 3, JSON.stringify(outcome))
    const dump = String((await sandbox.run('dumpProcesses')).outcome.value)
    assert.equal(dump.includes('canary-in-the-environment'), false)
    assert.equal(dump.includes(`/proc/${process.pid}`), false)
  })

  rule('reaches no process with a signal', async (sandbox) => {
    await stopped(sandbox, /ESRCH/, 'signal', { pid: process.pid, signal: 'SIGUSR1' })
    const { outcome } = await sandbox.run('signalAll', { signal: 'SIGSTOP', from: 3, to: 100_000 })
    assert.deepEqual(outcome.value, [])
  })

  rule('reaches no network and no socket of the machine', async (sandbox, t) => {
    let connections = 0
    const server = createServer((socket) => {
      connections += 1
      socket.destroy()
    })
    const abstract = createServer((socket) => {
      connections += 1
      socket.destroy()
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const name = `backplane-test-${process.pid}`
    await once(abstract.listen(`\0${name}`), 'listening')
    t.after(() => {
      server.close()
      abstract.close()
    })
    const { port } = server.address() as { port: number }
    for (const [attack, given] of [
      ['tcp', { port }],
      ['udp', { port }],
      ['fetch', { port }],
      ['listen', {}],
      ['resolve', {}],
      ['abstractSocket', { socketName: name }],
      ['unix', { path: '/run/systemd/private' }],
    ] as const) {
      const { outcome } = await sandbox.run(attack, given)
      assert.equal('value' in outcome, false, `${attack} ${JSON.stringify(outcome)}`)
    }
    assert.equal(connections, 0)
  })

  rule('starts no program of the machine', async (sandbox) => {
    const { outcome } = await sandbox.run('output', { program: '/bin/sh', args: ['-c', 'echo hello'] })
    assert.equal(outcome.code, 'ENOENT')
  })

  rule('with one granted program finds that one and what it needs, and no other', async (sandbox) => {
    const options: BareOptions = { exec: ['/usr/bin/env'] }
    const { outcome } = await sandbox.run('output', { program: '/usr/bin/env', args: ['A=1'] }, options)
    assert.match(String(outcome.value), /^A=1$/m)
    assert.equal((await sandbox.run('output', { program: '/bin/sh', args: [] }, options)).outcome.code, 'ENOENT')
  })

  const arch = process.arch as TableArchitecture
  const refused: readonly (readonly [string, string, readonly number[], RegExp])[] = [
    ['a user namespace', 'unshare', [0x1000_0000], /^errno 1$/],
    ['a namespace by clone', 'clone', [0x1000_0000 | 17], /^errno 1$/],
    ['a namespace by clone3', 'clone3', [], /^errno 38$/],
    ['a trace', 'ptrace', [], /^errno 1$/],
    ['a keyring', 'keyctl', [0, -3, 1], /^errno 1$/],
    ['an io_uring', 'io_uring_setup', [8, 0], /^errno 38$/],
    ['a BPF program', 'bpf', [], /^errno 1$/],
    ['a performance counter', 'perf_event_open', [], /^errno 1$/],
    ['a mount', 'mount', [], /^errno 1$/],
    ['a file by its handle', 'open_by_handle_at', [], /^errno 1$/],
    ['a file in memory', 'memfd_create', [], /^errno 1$/],
    ['a device', 'mknodat', [], /^errno 1$/],
    ['text put into a terminal', 'ioctl', [0, 0x5412, 0], /^errno 1$/],
    ['a netlink socket', 'socket', [16, 3, 0], /^errno 97$/],
    ['a socket of a virtual machine', 'socket', [40, 1, 0], /^errno 97$/],
    ['a packet socket', 'socket', [17, 3, 0], /^errno 97$/],
  ]
  for (const trust of ['community', 'first-party'] as const) {
    rule(`that is trusted as ${trust} is refused what would lead out by the kernel`, async (sandbox) => {
      for (const [what, name, args, code] of refused) {
        const { outcome } = await sandbox.run('syscall', { number: syscallNumber(name, arch), args }, { trust })
        assert.match(outcome.code ?? JSON.stringify(outcome), code, what)
      }
    })

    rule(`that is trusted as ${trust} makes no file that runs as another user`, async (sandbox) => {
      await stopped(sandbox, /EPERM/, 'setId', {}, { trust })
      await stopped(sandbox, /EPERM/, 'setIdAtOpen', {}, { trust })
      assert.equal((await stat(sandbox.path('data/set-id'))).mode & 0o6000, 0)
    })
  }

  rule('fills neither /tmp nor /dev/shm beyond its limit', async (sandbox) => {
    for (const path of ['/tmp/full', '/dev/shm/full']) {
      await stopped(sandbox, /ENOSPC/, 'fill', { path, megabytes: 16 }, { limits: { tmpBytes: 8 * 1024 ** 2 } })
    }
  })

  rule('writes no file larger than its limit', async (sandbox) => {
    const limits = { fileBytes: 4 * 1024 ** 2 }
    await stopped(sandbox, /EFBIG/, 'fill', { path: sandbox.path('data/large'), megabytes: 16 }, { limits })
    assert.equal((await stat(sandbox.path('data/large'))).size, limits.fileBytes)
  })

  rule('opens no more files than its limit', async (sandbox) => {
    const path = join(import.meta.dirname, '../fixtures/hostile-plugin/index.js')
    await stopped(sandbox, /EMFILE/, 'openMany', { count: 20_000, path }, { limits: { openFiles: 100 } })
  })

  rule('has its data as its own, and what the host put there', async (sandbox) => {
    await writeFile(sandbox.path('data/there'), 'before')
    assert.equal((await sandbox.run('read', { path: sandbox.path('data/there') })).outcome.value, 'before')
    assert.equal((await sandbox.run('write', { path: sandbox.path('data/there') })).outcome.code, undefined)
  })
})

/** Checks what an attack was stopped with. */
async function stopped(sandbox: BareSandbox, code: RegExp, ...attack: Parameters<BareSandbox['run']>): Promise<void> {
  const { outcome, said } = await sandbox.run(...attack)
  const what = JSON.stringify(attack)
  assert.equal('value' in outcome, false, `${what}: ${JSON.stringify(outcome)}`)
  assert.match(outcome.code ?? said, code, what)
}
