import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ExitCause } from '@backplane/kernel'
import { PluginOutput } from '../output/plugin-output.ts'
import type { GuestBody } from '../session-link/guest-body.ts'
import { SpareBodies, type Shape } from './spare-bodies.ts'

interface Body extends GuestBody {
  readonly shape: string
}

/** Makes bodies that end when they are killed, and knows those that have not. */
class Maker {
  readonly alive = new Set<Body>()
  made = 0

  readonly make = async ({ key }: Shape): Promise<Body> => {
    if (key === 'impossible') throw new Error('cannot be made')
    this.made += 1
    const { promise, resolve } = Promise.withResolvers<ExitCause>()
    const kill = (): void => {
      this.alive.delete(body)
      resolve({ kind: 'exit', code: 0, lastLines: [] })
    }
    const openChannel = (): never => assert.fail('nobody opens it')
    const body: Body = { shape: key, pid: 1, output: new PluginOutput(), ended: promise, openChannel, ask: kill, kill }
    this.alive.add(body)
    return body
  }

  shapes(): readonly string[] {
    return [...this.alive].map(({ shape }) => shape).toSorted()
  }
}

const usual = { key: 'usual' }

test('a pool of size 0 keeps nothing', async () => {
  const maker = new Maker()
  await using spares = new SpareBodies({ size: 0, usual, make: maker.make })
  await spares.fill()
  assert.equal(spares.take(usual), undefined)
  assert.equal(maker.made, 0)
})

test('spares of the usual shape are kept, handed out once, and made again', async () => {
  const maker = new Maker()
  await using spares = new SpareBodies({ size: 2, usual, make: maker.make })
  await spares.fill()
  const [one, two, three] = [spares.take(usual), spares.take(usual), spares.take(usual)]
  assert.ok(one !== undefined && two !== undefined && one !== two)
  assert.equal(three, undefined)
  await spares.fill()
  assert.equal(maker.made, 4)
})

test('of other shapes there is one of each asked for last', async () => {
  const maker = new Maker()
  await using spares = new SpareBodies({ size: 2, usual, make: maker.make })
  for (const key of ['a', 'b', 'a', 'c']) assert.equal(spares.take({ key }), undefined)
  await spares.fill()
  assert.deepEqual(maker.shapes(), ['a', 'c', 'usual', 'usual'])
  assert.equal(spares.take({ key: 'a' })?.shape, 'a')
  spares.take({ key: 'd' })
  await spares.fill()
  // The one of `c` is given up; the first of `a` belongs to who took it.
  assert.deepEqual(maker.shapes(), ['a', 'a', 'd', 'usual', 'usual'])
})

test('a spare that dies is replaced, but not for ever', async () => {
  const maker = new Maker()
  await using spares = new SpareBodies({ size: 1, usual, make: maker.make })
  for (let round = 0; round < 10; round++) {
    await spares.fill()
    for (const body of maker.alive) body.kill()
    await Promise.resolve()
  }
  assert.equal(maker.made, 3)
})

test('a shape that cannot be made is left to who asks for it', async () => {
  const maker = new Maker()
  await using spares = new SpareBodies({ size: 1, usual, make: maker.make })
  spares.take({ key: 'impossible' })
  await spares.fill()
  assert.deepEqual(maker.shapes(), ['usual'])
})

test('disposing ends every spare and makes no more', async () => {
  const maker = new Maker()
  const spares = new SpareBodies({ size: 3, usual, make: maker.make })
  const filling = spares.fill()
  await spares[Symbol.asyncDispose]()
  await filling
  assert.deepEqual(maker.shapes(), [])
  assert.equal(spares.take(usual), undefined)
})
