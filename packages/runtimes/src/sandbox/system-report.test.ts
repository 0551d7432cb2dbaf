import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { test } from 'node:test'
import { requireProgram } from '@backplane/testing'
import { trySandbox } from './machine.ts'
import { probeSystem, systemCallFilter } from './system-report.ts'

test('the machine is looked at once, and nothing is left behind', async () => {
  const ours = async (): Promise<readonly string[]> =>
    (await readdir('/proc/self/fd')).concat((await readdir(tmpdir())).filter((name) => name === 'filter'))
  const before = await ours()
  const report = probeSystem()
  assert.equal(probeSystem(), report)
  assert.deepEqual(await ours(), before)
  assert.deepEqual(structuredClone(report), report, 'it is plain data')
})

test('every layer says what it is for, and one that is not there says why', () => {
  const { layers, sandbox } = probeSystem()
  assert.equal(new Set(layers.map(({ layer }) => layer)).size, layers.length)
  for (const { layer, available, detail, missing } of layers) {
    assert.match(detail, /^[A-Z].*\.$/, layer)
    assert.equal(missing === undefined, available, layer)
  }
  assert.equal(layers.find(({ layer }) => layer === 'sandbox')?.available, sandbox)
})

test('where bubblewrap is, a sandbox was built and Node ran in it', (t) => {
  if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
  const trial = trySandbox()
  assert.equal(trial.works, true, JSON.stringify(trial))
})

test('where bubblewrap is missing, how to get it is said', () => {
  assert.deepEqual(trySandbox({ bwrap: false }), {
    works: false,
    missing: 'bubblewrap is missing',
    install: 'apt-get install bubblewrap',
  })
})

test('a bubblewrap that builds nothing is not counted as one', () => {
  const trial = trySandbox({ bwrap: '/bin/false' })
  assert.equal(trial.works, false)
  assert.match(trial.works ? '' : trial.missing, /no sandbox can be built/)
})

test('a system-call filter that nothing puts in place says why; one that comes with Landlock is there', () => {
  const none = { works: false, missing: 'bubblewrap is missing', install: 'apt-get install bubblewrap' } as const
  const { available, missing, install } = systemCallFilter(none)
  assert.deepEqual([available, missing, install], [false, 'there is no sandbox to put it in place', none.install])
  const programs = { bwrap: undefined, shell: 'sh', setpriv: 'setpriv', unshare: '', mount: '' }
  assert.equal(systemCallFilter({ ...none, weaker: { programs, abi: 7 } }).available, true)
})
