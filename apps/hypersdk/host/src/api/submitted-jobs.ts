import { parseDocument } from 'yaml'
import { hypersdkErrors } from '../errors.ts'

/** Content types a submission may have beside JSON. */
export const yamlTypes: readonly string[] = ['application/yaml', 'application/x-yaml', 'text/yaml', 'text/x-yaml']

/**
 * The jobs of one request body: one job, `{"jobs": […]}`, or a bare list, as JSON or YAML. They are not checked here.
 * Errors: `JOB_BODY_INVALID`.
 */
export function submittedJobs(text: string, contentType: string): readonly unknown[] {
  const value = yamlTypes.includes(contentType) ? readYaml(text) : readJson(text)
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

/** Aliases are refused: a job needs none, and they can make a small text large. */
function readYaml(text: string): unknown {
  const document = parseDocument(text, { prettyErrors: true })
  const [error] = document.errors
  if (error !== undefined) throw invalid(error.message.split('\n')[0] ?? error.code)
  try {
    return document.toJS({ maxAliasCount: 0 })
  } catch (thrown) {
    throw invalid(thrown instanceof Error ? thrown.message : String(thrown))
  }
}

function invalid(reason: string): Error {
  return hypersdkErrors.error('JOB_BODY_INVALID', { reason })
}
