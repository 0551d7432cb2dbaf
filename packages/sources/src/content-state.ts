import { randomUUID } from 'node:crypto'
import { PlatformError } from '@backplane/sdk'
import { readTree } from './read-tree.ts'
import type { TreeLook } from './tree-look.ts'

/**
 * One text for sizes, times and contents of a package: two equal ones mean that nothing was written in between, not
 * even through a memory map, which a file's times show late.
 */
export async function contentState(look: TreeLook, signal: AbortSignal): Promise<string> {
  try {
    return `${look.fingerprint} ${(await readTree(look, signal)).digest}`
  } catch (error) {
    signal.throwIfAborted()
    const code = error instanceof PlatformError ? error.code : String(error)
    return `${look.fingerprint} ${code} ${code === 'SOURCE_CHANGED' ? randomUUID() : ''}`
  }
}
