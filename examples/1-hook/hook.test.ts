import assert from 'node:assert/strict'
import { test } from 'node:test'
import { confined, contained, trusted } from '@backplane/runtimes'
import { temporaryDirectory } from '@backplane/testing'
import { greet, modules } from './host.ts'

for (const make of [trusted, contained, confined]) {
  test(`the hook example greets the same in the ${make.name} tier`, async (t) => {
    await using runtime = make({ modules })
    const said = await greet('good morning', runtime, await temporaryDirectory(t))
    assert.equal(said, 'Good morning, dear visitor (example/politeness capitalise, example/politeness be-polite)')
  })
}
