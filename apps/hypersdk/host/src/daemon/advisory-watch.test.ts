import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sourceErrors } from '@backplane/sources'
import type { IndexReport } from '@backplane/sources/install'
import type { Advisory } from '@backplane/trust'
import { Redactor } from '../secrets/redactor.ts'
import { AdvisoryWatch } from './advisory-watch.ts'
import { hostLog } from './host-log.ts'

const advisory: Advisory = { id: 'ACME-1', plugin: 'acme/s3', versions: '*', summary: 'It loses data', action: 'disable' }
const nothing: IndexReport<Advisory> = { found: [], problems: [] }

interface Stage {
  readonly watch: AdvisoryWatch
  /** What the indexes answer from now on. */
  answer: IndexReport<Advisory> | Error
  readonly told: string[]
  readonly lines: string[]
}

function stage(kept: IndexReport<Advisory> = nothing): Stage {
  const told: string[] = []
  const lines: string[] = []
  const log = hostLog({ level: 'info', pretty: false, redactor: new Redactor(), write: (line) => void lines.push(line) })
  const self: Stage = {
    told,
    lines,
    answer: nothing,
    watch: new AdvisoryWatch({
      log,
      trust: { advise: (advisories) => void told.push(`advised of ${advisories.length}`), sawIndexes: async () => undefined },
      indexes: {
        keptAdvisories: async () => kept,
        advisories: async () => {
          if (self.answer instanceof Error) throw self.answer
          return self.answer
        },
      },
    }),
  }
  return self
}

test('what the indexes warned of counts before anybody is asked, and what runs is judged again only when it is another', async () => {
  const self = stage({ found: [advisory], problems: [] })
  await using watch = self.watch
  await watch.recall()
  assert.deepEqual(self.told, ['advised of 1'])
  self.answer = { found: [advisory], problems: [] }
  watch.follow(async () => void self.told.push('readmitted'), 3_600_000)
  await watch.look()
  await watch.look()
  assert.deepEqual(self.told, ['advised of 1'], 'it is the same')
  self.answer = { found: [advisory, { ...advisory, id: 'ACME-2' }], problems: [] }
  await watch.look()
  self.answer = nothing
  await watch.look()
  assert.deepEqual(self.told.slice(1), ['advised of 2', 'readmitted', 'advised of 0', 'readmitted'])
})

test('it looks again and again by itself, and not after its end', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const self = stage()
  await using watch = self.watch
  const looked = Promise.withResolvers<void>()
  watch.follow(async () => looked.resolve(), 60_000)
  await watch.look()
  self.answer = { found: [advisory], problems: [] }
  t.mock.timers.tick(60_000)
  await looked.promise
  await watch[Symbol.asyncDispose]()
  self.answer = nothing
  t.mock.timers.tick(600_000)
  await watch.look()
  assert.deepEqual(self.told, ['advised of 1'])
})

test('an index that cannot be read is told once, and one that breaks ends nothing', async () => {
  const self = stage()
  await using watch = self.watch
  const error = sourceErrors.error('FETCH_UNREACHABLE', { place: 'https://a', reason: 'nobody answers' })
  self.answer = { found: [], problems: [{ index: 'acme', error }] }
  watch.follow(async () => undefined, 3_600_000)
  await watch.look()
  await watch.look()
  assert.equal(self.lines.filter((line) => line.includes('what it warned of stands')).length, 1)
  self.answer = new TypeError('a defect')
  await watch.look()
  assert.equal(self.lines.filter((line) => line.includes('could not be asked')).length, 1)
})
