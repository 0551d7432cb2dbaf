import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { YamlRequest } from './yaml-thread.ts'
import { parseYamlTree, type ConfigProblem, type YamlLimits } from './yaml-tree.ts'

/** What a YAML text holds, or the first thing that is wrong with it. */
export type YamlReading =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'problem'; readonly problem: ConfigProblem }
  /** It was not read to its end, for a reason that is not in its lines. */
  | { readonly kind: 'given-up'; readonly reason: string }

/** Options of {@link readYaml}; each has a default. */
export interface YamlReadOptions extends Partial<YamlLimits> {
  /** Longest texts read where they are, bytes; a text of this size takes a few milliseconds. Default 4,096. */
  readonly bytesHere?: number
  /** How long the thread may take, ms. Default 30,000. */
  readonly timeoutMs?: number
  /** Memory of the thread, MiB. Default 256. */
  readonly memoryMiB?: number
}

const threadFile = new URL(import.meta.url.endsWith('.ts') ? './yaml-thread.ts' : './yaml-thread.js', import.meta.url)

/** One at a time: what waits costs no memory of a thread. */
let busy: Promise<unknown> = Promise.resolve()

/**
 * Reads a YAML text from outside. Every word of it costs microseconds, a hundred times what JSON costs, so all but a
 * short text is read in a thread of its own, which has a deadline: nobody else waits for it. Never rejects.
 */
export async function readYaml(text: string, file: string, options: YamlReadOptions = {}): Promise<YamlReading> {
  const { bytesHere = 4096, timeoutMs = 30_000, memoryMiB = 256, ...limits } = options
  if (Buffer.byteLength(text) <= bytesHere) return readYamlHere(text, file, limits)
  const reading = busy.then(() => readApart({ text, file, limits }, { timeoutMs, memoryMiB }))
  busy = reading
  return reading
}

/** The same at once, in this thread. */
export function readYamlHere(text: string, file: string, limits: Partial<YamlLimits>): YamlReading {
  const { value, problems } = parseYamlTree(text, file, limits)
  const [problem] = problems
  return problem === undefined ? { kind: 'value', value } : { kind: 'problem', problem }
}

async function readApart(
  request: YamlRequest,
  { timeoutMs, memoryMiB }: { readonly timeoutMs: number; readonly memoryMiB: number },
): Promise<YamlReading> {
  const worker = new Worker(threadFile, {
    workerData: request,
    name: 'read-yaml',
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: memoryMiB },
  })
  const deadline = AbortSignal.timeout(timeoutMs)
  try {
    const [reading] = (await once(worker, 'message', { signal: deadline })) as [YamlReading]
    return reading
  } catch (error) {
    if (deadline.aborted) return { kind: 'given-up', reason: `reading it took longer than ${timeoutMs} ms` }
    return { kind: 'given-up', reason: error instanceof Error ? error.message : String(error) }
  } finally {
    await worker.terminate()
  }
}
