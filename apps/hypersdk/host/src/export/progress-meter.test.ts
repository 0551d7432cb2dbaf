import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import type { ExportProgress } from './export-input.ts'
import { ProgressMeter } from './progress-meter.ts'

function metered(t: TestContext): {
  readonly meter: ProgressMeter
  readonly reports: ExportProgress[]
  readonly pass: (ms: number) => void
} {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const reports: ExportProgress[] = []
  let nowMs = 0
  const meter = new ProgressMeter((progress) => reports.push(progress), () => nowMs) // prettier-ignore
  const pass = (ms: number): void => {
    nowMs += ms
    t.mock.timers.tick(ms)
  }
  return { meter, reports, pass }
}

test('at most ten reports a second are made, and the newest numbers are not lost', (t) => {
  const { meter, reports, pass } = metered(t)
  meter.declared(1, 1000)
  for (let ms = 0; ms < 1000; ms++) {
    meter.add(1)
    pass(1)
  }
  assert.ok(reports.length <= 11, `${reports.length} reports`)
  assert.equal(reports.at(-1)?.bytesDone, 1000)
})

test('percent, rate and remaining time come from the bytes, and 100 only from the end', (t) => {
  const { meter, reports, pass } = metered(t)
  meter.declared(1, 4000)
  meter.begin('web.raw')
  for (let second = 0; second < 4; second++) {
    meter.add(1000)
    pass(1000)
  }
  const before = reports.at(-1)
  assert.partialDeepStrictEqual(before, {
    percent: 99.9,
    bytesTotal: 4000,
    rateBytes: 1000,
    etaSeconds: 0,
    currentFile: 'web.raw',
  })
  assert.equal(reports.findLast(({ bytesDone }) => bytesDone === 2000)?.etaSeconds, 2)
  meter.end()
  meter.close('completed')
  assert.partialDeepStrictEqual(reports.at(-1), { phase: 'completed', percent: 100, etaSeconds: 0, filesDone: 1, filesTotal: 1 })
})

test('what a phase of the plugin begins with was not done in the moment since', () => {
  let nowMs = 0
  const rates: number[] = []
  const meter = new ProgressMeter(({ rateBytes }) => rates.push(rateBytes), () => (nowMs += 0.1)) // prettier-ignore
  meter.plugin({ done: 3_000_000, total: 9_000_000, phase: 'read' })
  meter.close('unfinished')
  assert.deepEqual(rates, [0])
})

test('without a known size there is no percent and no remaining time', (t) => {
  const { meter, reports, pass } = metered(t)
  meter.declared(1, 10)
  meter.declared(2, null)
  pass(100)
  assert.partialDeepStrictEqual(reports.at(-1), { bytesTotal: null, percent: null, etaSeconds: null, filesTotal: 2 })
})

test('the plugin’s own reports are shown until bytes flow, whatever numbers it sends', (t) => {
  const { meter, reports, pass } = metered(t)
  meter.plugin({ done: 3, total: 4, phase: 'convert' })
  assert.partialDeepStrictEqual(reports.at(-1), { phase: 'convert', percent: 75 })
  for (const wrong of [Number.NaN, -1, Infinity]) {
    meter.plugin({ done: wrong, total: wrong, phase: 'x'.repeat(1000) })
    pass(100)
    assert.partialDeepStrictEqual(reports.at(-1), { phase: 'x'.repeat(40), bytesDone: 0, bytesTotal: null })
  }
  meter.declared(1, 10)
  meter.begin('web.raw')
  meter.plugin({ done: 9, total: 9, phase: 'mine' })
  pass(100)
  assert.partialDeepStrictEqual(reports.at(-1), { phase: 'exporting', bytesDone: 0, bytesTotal: 10 })
})

test('a plugin that counts to a hundred counts percent, not bytes', (t) => {
  const { meter, reports, pass } = metered(t)
  for (const done of [0, 10, 20]) {
    meter.plugin({ done, total: 100, phase: 'convert' })
    pass(1000)
  }
  const expected = { phase: 'convert', percent: 20, bytesDone: 0, bytesTotal: null, rateBytes: 0 }
  assert.partialDeepStrictEqual(reports.at(-1), expected)
  const { etaSeconds } = reports.at(-1) ?? {}
  assert.ok(typeof etaSeconds === 'number' && etaSeconds >= 8 && etaSeconds < 100, String(etaSeconds))
})

test('an unfinished export reports its last numbers once and then nothing', (t) => {
  const { meter, reports, pass } = metered(t)
  meter.add(1)
  meter.add(1)
  meter.close('unfinished')
  pass(10_000)
  assert.deepEqual(reports.map(({ bytesDone }) => bytesDone), [1, 2]) // prettier-ignore
})
