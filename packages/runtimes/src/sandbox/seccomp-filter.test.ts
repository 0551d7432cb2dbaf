import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requireProgram } from '@backplane/testing'
import { BareSandbox } from '../fixtures/bare-sandbox.ts'
import { hasFilterFor, seccompFilter } from './seccomp-filter.ts'
import { syscallNumber, tableArchitectures, type TableArchitecture } from './syscall-numbers.ts'

const audits: Readonly<Record<TableArchitecture, number>> = { x64: 0xc000_003e, arm64: 0xc000_00b7 }
const killed = 0x8000_0000
const allowed = 0x7fff_0000
const refusedWith = (errno: number): number => 0x0005_0000 | errno

for (const arch of tableArchitectures) {
  const verdict = (width: 'narrow' | 'wide', name: string, ...args: readonly number[]): number =>
    run(seccompFilter({ arch, width }), audits[arch], syscallNumber(name, arch) ?? -1, args)

  test(`on ${arch} what a JavaScript program needs is allowed, what it does not is not there`, () => {
    for (const name of ['read', 'openat', 'mmap', 'futex', 'epoll_ctl', 'execve', 'exit_group', 'fstat', 'getrandom']) {
      assert.equal(verdict('narrow', name), allowed, name)
    }
    for (const name of ['clone3', 'openat2', 'io_uring_setup']) assert.equal(verdict('narrow', name), refusedWith(38), name)
    assert.equal(run(seccompFilter({ arch, width: 'narrow' }), audits[arch], 9_999, []), refusedWith(38))
  })

  test(`on ${arch} a call that is newer than the filter is not there, however wide that is; an older one is`, () => {
    const wide = seccompFilter({ arch, width: 'wide' })
    // Of statmount(2), open_tree_attr(2) and what is still to come.
    for (const number of [453, 457, 467, 9_999]) assert.equal(run(wide, audits[arch], number, []), refusedWith(38), `${number}`)
    assert.equal(verdict('wide', 'futex_waitv'), allowed)
    if (arch === 'x64') assert.equal(verdict('wide', 'modify_ldt'), refusedWith(1))
  })

  test(`on ${arch} what leads out is refused, however wide the filter`, () => {
    for (const width of ['narrow', 'wide'] as const) {
      for (const name of ['ptrace', 'bpf', 'mount', 'unshare', 'setns', 'keyctl', 'perf_event_open', 'mknodat', 'execveat']) {
        assert.equal(verdict(width, name), refusedWith(1), name)
      }
      assert.equal(verdict(width, 'clone', 0x1000_0011), refusedWith(1))
      assert.equal(verdict(width, 'clone', 0x11), allowed)
      assert.equal(verdict(width, 'fchmodat', 0, 0, 0o4755), refusedWith(1))
      assert.equal(verdict(width, 'fchmodat', 0, 0, 0o1777), allowed)
      assert.equal(verdict(width, 'ioctl', 0, 0x5412), refusedWith(1))
      assert.equal(verdict(width, 'ioctl', 0, 0x5413), allowed)
      assert.equal(verdict(width, 'socket', 16), refusedWith(97))
      assert.equal(verdict(width, 'socket', 2), refusedWith(97))
    }
  })

  test(`on ${arch} a process that stays alone has threads and starts nothing, however wide the filter`, () => {
    for (const width of ['narrow', 'wide'] as const) {
      const alone = seccompFilter({ arch, width, alone: true })
      const verdictAlone = (name: string, ...args: readonly number[]): number =>
        run(alone, audits[arch], syscallNumber(name, arch) ?? -1, args)
      // glibc's thread, its fork, and the kernel's own names of that
      assert.equal(verdictAlone('clone', 0x3d_0f00), allowed)
      assert.equal(verdictAlone('clone', 0x120_0011), refusedWith(1))
      assert.equal(verdictAlone('clone', 0x4111), refusedWith(1), 'as vfork')
      assert.equal(verdictAlone('clone', 0x1001_0000), refusedWith(1), 'a thread in another namespace')
      assert.equal(verdictAlone('clone3'), refusedWith(38))
      if (arch === 'x64') for (const name of ['fork', 'vfork']) assert.equal(verdictAlone(name), refusedWith(1), name)
      assert.equal(verdictAlone('read'), allowed)
    }
  })

  test(`on ${arch} calls by another architecture's rules end the process`, () => {
    const filter = seccompFilter({ arch, width: 'wide' })
    assert.equal(run(filter, 0x4000_0003, 1, []), killed)
    assert.equal(run(filter, audits[arch], 0x4000_0001, []), refusedWith(38), 'the 32-bit names of a 64-bit machine')
  })
}

test('no socket that reaches a network or the machine is made; a plugin with programs may make those of the file system', () => {
  const socket = syscallNumber('socket', 'x64') ?? -1
  const made = (width: 'narrow' | 'wide'): unknown[] =>
    [1, 2, 10, 16, 17].filter((family) => run(seccompFilter({ arch: 'x64', width }), audits.x64, socket, [family]) === allowed)
  assert.deepEqual([made('narrow'), made('wide')], [[], [1]])
})

test('an architecture without a table has no filter', () => {
  assert.equal(hasFilterFor('riscv64'), false)
  assert.throws(() => seccompFilter({ arch: 'riscv64', width: 'wide' }), TypeError)
  assert.throws(() => syscallNumber('no_such_call', 'x64'), TypeError)
})

for (const trust of ['community', 'first-party'] as const) {
  test(`an honest program notices nothing of the filter for ${trust} code`, { timeout: 60_000 }, async (t) => {
    if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
    const sandbox = await BareSandbox.make(t)
    const { outcome, said } = await sandbox.run('work', {}, { trust })
    assert.deepEqual(outcome, { value: 'done' }, said)
  })
}

/** What the kernel would answer: the filter run over one call. Source: linux/filter.h. */
function run(filter: Uint8Array, audit: number, number: number, args: readonly number[]): number {
  const view = new DataView(filter.buffer, filter.byteOffset, filter.byteLength)
  const words = new Map([[0, number], [4, audit], ...args.map((value, index) => [16 + 8 * index, value] as const)])
  let loaded = 0
  for (let at = 0; at < filter.length / 8;) {
    const [code, ifTrue, ifFalse] = [view.getUint16(at * 8, true), view.getUint8(at * 8 + 2), view.getUint8(at * 8 + 3)]
    const operand = view.getUint32(at * 8 + 4, true)
    at += 1
    if (code === 0x06) return operand
    if (code === 0x20) loaded = (words.get(operand) ?? 0) >>> 0
    if (code === 0x15) at += loaded === operand ? ifTrue : ifFalse
    if (code === 0x35) at += loaded >= operand ? ifTrue : ifFalse
    if (code === 0x45) at += (loaded & operand) !== 0 ? ifTrue : ifFalse
  }
  return assert.fail('the filter ends without an answer')
}
