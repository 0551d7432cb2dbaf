// Compiled, never run: a wrong type here fails the build.
import { defineHook, defineProvider, optional, stream, unary, type Client, type ProviderHandle } from './point.ts'
import type { Scope } from './scope.ts'
import type { Schema } from './standard-schema.ts'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const sure = <T extends true>(): T | undefined => undefined

declare const text: Schema<string>
declare const count: Schema<string | number, number>

const plain = defineProvider('demo.counter', {
  add: unary(count, count),
  watch: stream(text, count),
  reset: optional(unary(text, text)),
})
const opened = defineProvider('demo.store', { get: unary(text, text) }, { open: count })
const hook = defineHook('demo.before', { strategy: 'pipe', value: text })

declare const client: Client<typeof plain>
sure<Equal<ReturnType<typeof client.add>, Promise<number>>>()
sure<Equal<Parameters<typeof client.add>[0], string | number>>()
sure<Equal<ReturnType<typeof client.watch>, AsyncIterable<number>>>()
sure<Equal<Parameters<typeof client.has>[0], 'add' | 'watch' | 'reset'>>()

declare const handle: ProviderHandle<typeof opened>
sure<Equal<Parameters<typeof handle.open>[0], string | number>>()

declare const scope: Scope
scope.on(hook, 'shout', (value) => value.toUpperCase())
scope.provide(plain, 'memory', {
  // Received as the input schema yields it, returned as the output schema accepts it.
  add: (value: number) => String(value),
  async *watch() {
    yield 1
  },
})
scope.provide(opened, 'disk', { open: () => ({ get: (key) => key, close: () => undefined }) })
// @ts-expect-error -- a required method is missing
scope.provide(plain, 'memory', { add: () => 1 })
// @ts-expect-error -- a handler takes the hook's value, not another type
scope.on(hook, 'shout', (value: number) => String(value))
