import assert from 'node:assert/strict'
import { test } from 'node:test'
import { confined, contained, trusted } from '@backplane/runtimes'
import { temporaryDirectory } from '@backplane/testing'
import { keepNotes, modules } from './host.ts'

for (const make of [trusted, contained, confined]) {
  test(`the provider example keeps notes apart and over a restart in the ${make.name} tier`, async (t) => {
    await using runtime = make({ modules })
    const said = await keepNotes(runtime, await temporaryDirectory(t))
    assert.deepEqual(
      said.map((line) => line.replace(/ \[[0-9a-f]{16}\]$/, '')),
      ['ada: the engine weaves patterns', 'ada: just as the loom weaves flowers', 'bob: milk'],
    )
  })
}
