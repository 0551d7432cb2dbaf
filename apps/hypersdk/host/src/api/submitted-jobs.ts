import { readYaml } from '../config/read-yaml.ts'
import { hypersdkErrors } from '../errors.ts'

/** Content types a submission may have beside JSON. */
export const yamlTypes: readonly string[] = ['application/yaml', 'application/x-yaml', 'text/yaml', 'text/x-yaml']

/** Largest YAML body, bytes: reading YAML takes a hundred times as long as JSON. */
const largestYamlBytes = 256 * 1024

/** Values all jobs of one YAML body may come to. */
const mostValues = 100_000

/**
 * The jobs of one request body: one job, `{"jobs": […]}`, or a bare list, as JSON or YAML. They are not checked here.
 * Errors: `JOB_BODY_INVALID`, `JOB_BODY_TOO_LARGE`.
 */
export async function submittedJobs(text: string, contentType: string): Promise<readonly unknown[]> {
  const value = yamlTypes.includes(contentType) ? await yamlValue(text) : readJson(text)
  if (Array.isArray(value)) return nonEmpty(value)
  if (typeof value !== 'object' || value === null) throw invalid('it holds no job')
  const jobs: unknown = Reflect.get(value, 'jobs')
  if (jobs === undefined) return [value]
  const others = Object.keys(value).filter((key) => key !== 'jobs')
  if (others.length > 0) throw invalid(`beside jobs it holds ${others.join(', ')}`)
  if (!Array.isArray(jobs)) throw invalid('jobs is not a list')
  return nonEmpty(jobs)
}

function nonEmpty(jobs: readonly unknown[]): readonly unknown[] {
  if (jobs.length === 0) throw invalid('it holds no job')
  return jobs
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error))
  }
}

/** A job needs no aliases, and they can make a small text large. */
async function yamlValue(text: string): Promise<unknown> {
  if (Buffer.byteLength(text) > largestYamlBytes) {
    throw hypersdkErrors.error('JOB_BODY_TOO_LARGE', { limit: largestYamlBytes })
  }
  const reading = await readYaml(text, 'body', { values: mostValues, aliases: false })
  switch (reading.kind) {
    case 'value':
      return reading.value
    case 'given-up':
      throw invalid(reading.reason)
    case 'problem': {
      const { line, column, path, message } = reading.problem
      throw invalid(`line ${line}, column ${column}: ${path === '' ? '' : `${path}: `}${message}`)
    }
  }
}

function invalid(reason: string): Error {
  return hypersdkErrors.error('JOB_BODY_INVALID', { reason })
}
