import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { treeSnapshot } from '../fixtures/tree-snapshot.ts'
import { MachineTree } from '../machine/machine-tree.ts'
import { apply } from './apply.ts'
import { openChanges } from './open-changes.ts'
import { standardExecutors } from './standard-executors.ts'
import type { Step } from './step.ts'
import { cleanup, rollback } from './undo.ts'

const path = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 }).map((names) => `/${names.join('/')}/f`)
const content = fc.uint8Array({ maxLength: 20 })
const file = fc.record({ path, content, mode: fc.constantFrom(0o644, 0o600, 0o755, 0o400), linked: fc.boolean() })

/** A file, or a link to one beside it. */
function make(
  root: string,
  { path: name, content: bytes, mode, linked }: typeof file extends fc.Arbitrary<infer F> ? F : never,
): void {
  const target = join(root, name)
  mkdirSync(dirname(target), { recursive: true })
  const real = linked ? `${target}.real` : target
  writeFileSync(real, bytes)
  chmodSync(real, mode)
  if (linked) symlinkSync(`${name}.real`, target)
}

test('whatever the tree and whatever is written in however many runs, the undo gives the very tree back', async () => {
  const files = fc.uniqueArray(file, { maxLength: 6, selector: (made) => made.path })
  const run = fc.record({ edits: fc.array(fc.record({ path, content }), { minLength: 1, maxLength: 5 }), refused: fc.boolean() })
  const property = fc.asyncProperty(
    files,
    fc.array(run, { minLength: 1, maxLength: 3 }),
    fc.boolean(),
    async (made, runs, byRun) => {
      const root = await mkdtemp(join(tmpdir(), 'exliar-'))
      try {
        for (const one of made) make(root, one)
        const before = treeSnapshot(root)
        const options = { tree: MachineTree.open(root), executors: standardExecutors }
        for (const { edits, refused } of runs) {
          const steps = edits.map((edit): Step => ({
            kind: 'write-file',
            path: edit.path,
            content: edit.content,
            cause: null,
            summary: 'write',
            records: 'file-modified',
          }))
          await using changes = await openChanges(options)
          const stages = [
            { subject: 'write', steps },
            { subject: 'last', steps: [] },
          ]
          const refusal = { plugin: 'acme/careful', reason: 'no' }
          const gate = (_: string, subject: string): Promise<typeof refusal | undefined> =>
            Promise.resolve(refused && subject === 'last' ? refusal : undefined)
          const end = await apply(changes, { title: 'write', stages, gate })
          assert.equal(end.kind, refused ? 'rolled-back' : 'applied')
        }
        for (let left = byRun ? runs.length : 0; left > 0; left--) {
          await using changes = await openChanges(options)
          await rollback(changes)
        }
        {
          await using changes = await openChanges(options)
          assert.equal((await cleanup(changes)).complete, true)
        }
        assert.deepEqual(treeSnapshot(root), before)
      } finally {
        await rm(root, { recursive: true, force: true })
      }
    },
  )
  await fc.assert(property, { numRuns: 25 })
})
