import { defaultArchiveLimits, type ArchiveLimits } from '../../archive/archive-limits.ts'

type FileLimits = Pick<ArchiveLimits, 'totalBytes' | 'fileBytes' | 'files' | 'folders' | 'depth' | 'pathBytes' | 'nameBytes'>

/** Ceilings of one package from git; those of files are the archives'. */
export interface GitLimits extends FileLimits {
  /** What the server sends for the one commit, the whole repository at that moment, bytes as packed. Default 128 MiB. */
  readonly packBytes: number
  /** Address space of git, which unpacks what the server sends, bytes. Default 1 GiB. */
  readonly memoryBytes: number
  /** Names of branches and tags, and the list of the package's files, bytes. Default 8 MiB. */
  readonly listBytes: number
  /** Versions offered for a range, best first. Default 64. */
  readonly versions: number
  /** One question to a server, ms. Default 120 000. */
  readonly timeoutMs: number
}

const mib = 1024 * 1024

/** What holds unless an option says otherwise. */
export const defaultGitLimits: GitLimits = {
  ...defaultArchiveLimits,
  packBytes: 128 * mib,
  memoryBytes: 1024 * mib,
  listBytes: 8 * mib,
  versions: 64,
  timeoutMs: 120_000,
}
