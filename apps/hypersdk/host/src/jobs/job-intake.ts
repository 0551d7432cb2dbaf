import { randomBytes } from 'node:crypto'
import type { PlatformError } from '@backplane/sdk'
import { provider } from '@hypersdk/points'
import type { ExportsConfig } from '../config/host-config.ts'
import { pathText } from '../config/yaml-tree.ts'
import { hypersdkErrors } from '../errors.ts'
import type { ProviderRegistry } from '../providers/provider-registry.ts'
import { schemaProblems, type SchemaProblem } from '../schema-problems.ts'
import { credentialFields, ignoredFields, ignoredOptions, JobRequest, type JobDefinition } from './job-definition.ts'
import { exportTarget } from './job-target.ts'

/** A job that may be queued, and what its submitter should know. */
export interface AcceptedJob {
  readonly definition: JobDefinition
  readonly warnings: readonly string[]
}

/**
 * Checks one submitted value and makes the job of it: fields, provider, format and target, all before anything is
 * queued. Errors: `JOB_INVALID` with every problem in `details.problems`, `JOB_CREDENTIALS_IN_JOB`, `PROVIDER_UNKNOWN`,
 * `PROVIDER_AMBIGUOUS`, `PROVIDER_UNAVAILABLE`, `JOB_EXPORT_UNSUPPORTED`, `JOB_FORMAT_UNSUPPORTED`,
 * `JOB_SNAPSHOTS_UNSUPPORTED`, `JOB_TARGET_UNSUPPORTED`, `JOB_TARGET_FORBIDDEN`.
 */
export async function acceptJob(
  value: unknown,
  providers: Pick<ProviderRegistry, 'resolve' | 'type'>,
  exports: ExportsConfig,
): Promise<AcceptedJob> {
  const credential = credentialFields.find((field) => isObject(value) && value[field] !== undefined)
  if (credential !== undefined) throw hypersdkErrors.error('JOB_CREDENTIALS_IN_JOB', { field: credential })
  const parsed = JobRequest.safeParse(value)
  if (!parsed.success) throw invalid(schemaProblems(JobRequest, parsed.error))
  const request = parsed.data
  const vmId = oneOf(request, 'vm_id', 'vm_path')
  if (vmId === undefined) throw invalid([{ path: ['vm_id'], message: 'names the machine and is needed' }])
  const { instance, type } = providers.resolve(request.provider)
  const { capabilities, available, recovers, reason, plugin } = providers.type(type)
  if (!available && !recovers) {
    const parameters = { name: request.provider, reason: reason ?? 'its plugin does not run' }
    throw hypersdkErrors.error('PROVIDER_UNAVAILABLE', parameters, { plugin, point: provider.id })
  }
  const { supported_formats: supported, no_export_reason: reasonOfNone = 'its plugin names no supported_formats' } = capabilities
  if (supported.length === 0) throw hypersdkErrors.error('JOB_EXPORT_UNSUPPORTED', { provider: type, reason: reasonOfNone })
  if (!supported.includes(request.format)) {
    const parameters = { provider: type, format: request.format, supported: supported.join(', ') }
    throw hypersdkErrors.error('JOB_FORMAT_UNSUPPORTED', parameters)
  }
  if (request.options.include_snapshots && !capabilities.supports_snapshots) {
    throw hypersdkErrors.error('JOB_SNAPSHOTS_UNSUPPORTED', { provider: type })
  }
  const id = request.id ?? newJobId()
  const directory = await exportTarget(oneOf(request, 'output_dir', 'output_path'), id, exports)
  const { compression_level: level, include_snapshots, remove_cdrom, overwrite } = request.options
  return {
    warnings: ignored(request),
    definition: {
      id,
      name: request.name ?? `${instance} ${vmId}`,
      provider: instance,
      vm_id: vmId,
      vm_path: vmId,
      output_dir: directory,
      output_path: directory,
      format: request.format,
      compress: request.compress,
      options: { ...(level === undefined ? {} : { compression_level: level }), include_snapshots, remove_cdrom, overwrite },
      metadata: request.metadata,
      created_at: new Date().toISOString(),
    },
  }
}

/** Readable, sortable by time, unique: `job-20261105-093012-9f3a1c`. */
function newJobId(): string {
  const time = new Date().toISOString().replaceAll(/[-:]/g, '').replace('T', '-').slice(0, 15)
  return `job-${time}-${randomBytes(3).toString('hex')}`
}

function oneOf(request: JobRequest, name: 'vm_id' | 'output_dir', alias: 'vm_path' | 'output_path'): string | undefined {
  if (request[name] !== undefined && request[alias] !== undefined && request[name] !== request[alias]) {
    throw invalid([{ path: [alias], message: `says something else than ${name}; keep one of them` }])
  }
  return request[name] ?? request[alias]
}

function ignored(request: JobRequest): readonly string[] {
  const fields: string[] = ignoredFields.filter((field) => request[field] !== undefined)
  const options = ignoredOptions.filter((option) => request.options[option] !== undefined).map((option) => `options.${option}`)
  return [...fields, ...options].map((field) => `${field} has no effect: this daemon decides it itself`)
}

function invalid(problems: readonly SchemaProblem[]): PlatformError {
  const lines = problems.map(({ path, message }) => (path.length === 0 ? message : `${pathText(path)}: ${message}`))
  return hypersdkErrors.error('JOB_INVALID', { first: lines.join('; ') }, { details: { problems: lines } })
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
