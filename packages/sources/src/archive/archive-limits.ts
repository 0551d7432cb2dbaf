/** Ceilings of one archive; more is refused before anything of it is written. */
export interface ArchiveLimits {
  /** The archive as it is, compressed, bytes. Default 64 MiB. */
  readonly archiveBytes: number
  /** All files together, bytes. Default 64 MiB. */
  readonly totalBytes: number
  /** One file, bytes. Default 16 MiB. */
  readonly fileBytes: number
  /** Files. Default 5 000. */
  readonly files: number
  /** Folders, those included that are only parts of paths. Default 5 000. */
  readonly folders: number
  /** Folders above a file, as it is named in the archive. Default 16. */
  readonly depth: number
  /** A path, UTF-8 bytes. Default 1 024. */
  readonly pathBytes: number
  /** A part of a path, UTF-8 bytes. Default 255. */
  readonly nameBytes: number
  /** Bytes that come out for each byte of the archive, once {@link ratioFromBytes} have come out. Default 200. */
  readonly ratio: number
  /** What any archive may unpack to, however small it is, bytes. Default 1 MiB. */
  readonly ratioFromBytes: number
  /** Headers of one entry beside its first, bytes: pax records of a tar, extra fields of a zip. Default 8 KiB. */
  readonly headerBytes: number
  /** Zeros after the end of a tar, bytes. Default 64 KiB. */
  readonly paddingBytes: number
}

const kib = 1024
const mib = 1024 * kib

/** What holds unless an option says otherwise. Source: SECURITY 5.1. */
export const defaultArchiveLimits: ArchiveLimits = {
  archiveBytes: 64 * mib,
  totalBytes: 64 * mib,
  fileBytes: 16 * mib,
  files: 5_000,
  folders: 5_000,
  depth: 16,
  pathBytes: 1_024,
  nameBytes: 255,
  ratio: 200,
  ratioFromBytes: mib,
  headerBytes: 8 * kib,
  paddingBytes: 64 * kib,
}
