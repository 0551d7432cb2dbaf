import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { serverErrors } from '../errors.ts'

/** Where the certificate of a server is. Read when it begins to listen. TLS 1.2 at least. */
export interface TlsFiles {
  /** PEM: the certificate, and those between it and its authority. */
  readonly certificate: string
  /** PEM, not encrypted. */
  readonly key: string
}

/** What is in them. */
export interface TlsText {
  readonly cert: string
  readonly key: string
}

/** Reads a certificate and its key, and sees whether they can be used. Errors: `SERVER_TLS_INVALID`. */
export async function readTlsFiles(files: TlsFiles): Promise<TlsText> {
  const { certificate, key: keyPath } = files
  try {
    const [cert, key] = await Promise.all([readFile(certificate, 'utf8'), readFile(keyPath, 'utf8')])
    createSecureContext({ cert, key })
    return { cert, key }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw serverErrors.error('SERVER_TLS_INVALID', { certificate, key: keyPath, reason }, { cause: error })
  }
}
