import { didYouMean } from '@backplane/sdk'
import type { Environment } from './default-places.ts'

/** What the daemon reads, and what its clients read that often share its environment. */
const known = [
  'HYPERSDK_CONFIG',
  'HYPERSDK_ADDR',
  'HYPERSDK_SOCKET',
  'HYPERSDK_DATA_DIRECTORY',
  'HYPERSDK_LOG_LEVEL',
  'HYPERSDK_EXPORT_DIRECTORY',
  'HYPERSDK_PLUGIN_PATH',
  'HYPERSDK_URL',
  'HYPERSDK_TOKEN_FILE',
] as const

/** What the daemon's predecessor was set up by, and what to write now. Source: spec 1.1 "Daemon". */
const former: Readonly<Record<string, string>> = {
  GOVC_URL: 'endpoint of an instance under providers',
  GOVC_USERNAME: 'username of an instance under providers',
  GOVC_PASSWORD: 'password of an instance under providers',
  GOVC_INSECURE: 'insecure of an instance under providers',
  GOVC_TIMEOUT: 'timeout of an instance under providers',
  DOWNLOAD_WORKERS: 'exports.max_concurrent',
  RETRY_ATTEMPTS: 'exports.max_attempts',
}

/** Variables that look like meant for the daemon and are not read, as lines for an operator. */
export function environmentNotices(env: Environment, secretPrefix: string): readonly string[] {
  const set = Object.keys(env).filter((name) => env[name] !== undefined && env[name] !== '')
  const isRead = (name: string): boolean => known.some((one) => one === name) || name.startsWith(secretPrefix)
  const unknown = set.filter((name) => name.startsWith('HYPERSDK_') && !isRead(name))
  const level = env['LOG_LEVEL']
  return [
    ...unknown.map((name) => `environment: ${name} is not read${didYouMean(name, known)}`),
    ...set.flatMap((name) => (former[name] === undefined ? [] : `environment: ${name} is not read; write ${former[name]}`)),
    ...(level === undefined || level === '' || env['HYPERSDK_LOG_LEVEL'] || isLogLevel(level)
      ? []
      : [`environment: LOG_LEVEL is ${level}, which is none of ${logLevels.join(', ')}; it is not heeded`]),
  ]
}

const logLevels = ['debug', 'info', 'warn', 'error'] as const

/** Whether a text is one of the words for how much is logged. */
export function isLogLevel(text: string | undefined): text is (typeof logLevels)[number] {
  return logLevels.some((level) => level === text)
}
