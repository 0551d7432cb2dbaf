import type { Contribution, StartRequest } from '@backplane/kernel'
import { runtimeErrors } from '../errors.ts'
import { isTexts } from './invoker-over-session.ts'

/**
 * What a guest says it registered, checked again on this side of the boundary: its form, and that the manifest declares
 * it. Errors: `RUNTIME_ANSWER_INVALID`, `POINT_UNDECLARED`.
 */
export function checkedContributions(answer: unknown, { plugin, declared }: StartRequest): readonly Contribution[] {
  if (!Array.isArray(answer)) throw invalid(plugin.id, answer, 'a list of contributions')
  return answer.map((entry: unknown) => {
    const { point, name, kind, methods, value } = Object(entry) as Record<string, unknown>
    const known = (['hook', 'provider', 'data'] as const).find((each) => each === kind)
    if (typeof point !== 'string' || typeof name !== 'string' || known === undefined || !isTexts(methods)) {
      throw invalid(plugin.id, entry, 'a contribution')
    }
    if (!Object.hasOwn(declared, point) || declared[point]?.includes(name) !== true) {
      throw runtimeErrors.error('POINT_UNDECLARED', { plugin: plugin.id, point, name }, { plugin: plugin.id, point })
    }
    return { point, name, kind: known, methods: [...methods], ...(value === undefined ? {} : { value }) }
  })
}

function invalid(plugin: string, found: unknown, expected: string): Error {
  const parameters = { plugin, target: 'its start', found: found === null ? 'null' : typeof found, expected }
  return runtimeErrors.error('RUNTIME_ANSWER_INVALID', parameters, { plugin })
}
