import { hash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Store } from '@backplane/kernel'
import { PlatformError } from '@backplane/sdk'
import { parseStrictJson } from '@backplane/sdk/strict-json'
import { readPolicy, verifyPolicy, type PolicyMemory, type PolicyRoot, type TrustPolicy } from '@backplane/trust'
import type { TrustPolicyFiles } from '../config/host-config.ts'
import { hypersdkErrors } from '../errors.ts'

/** A policy as it was read. */
export interface ReadPolicy {
  readonly policy: TrustPolicy
  /** When it runs out, ms since the epoch; undefined for one that nobody signed. */
  readonly expiresMs: number | undefined
  /** The latest time that policies were signed at, ms since the epoch; 0 for one that nobody signed. */
  readonly signedMs: number
}

/** What of policies is kept from one start to the next. */
interface KeptMemory {
  /** Digest of the root that was installed by hand. Another one begins anew. */
  readonly installed: string
  readonly memory: PolicyMemory
}

/** Nesting of a policy's values. */
const depthLimit = 32
const namespace = 'hypersdk:trust'
const key = 'policy'

/**
 * Reads the policy of the configuration. One with a root is taken only when it is signed by whom that names, is not older than any
 * that was seen before and has not run out; which was seen is in `store` before it is used. Errors: `CONFIG_TRUST_POLICY`; for
 * one with a root also `TRUST_POLICY_UNSIGNED`, `TRUST_POLICY_EXPIRED`, `TRUST_POLICY_ROLLED_BACK`, `TRUST_ROOT_MISSING`,
 * `TRUST_ENVELOPE_INVALID`.
 */
export async function readPolicyFile({ file, root }: TrustPolicyFiles, store: Store, nowMs: number): Promise<ReadPolicy> {
  if (root === undefined) {
    const policy = await inFile(file, async () => readPolicy(await jsonIn(file)))
    return { policy, expiresMs: undefined, signedMs: 0 }
  }
  const installed = await inFile(root, () => jsonIn(root))
  const digest = hash('sha256', JSON.stringify(installed))
  const kept = await store.get(namespace, key)
  const known = kept === undefined ? undefined : (JSON.parse(kept) as KeptMemory)
  const memory: PolicyMemory =
    known?.installed === digest ? known.memory : { root: installed as PolicyRoot, lastVersion: 0, lastSeenMs: 0 }
  const signed = await inFile(file, () => jsonIn(file))
  const verified = verifyPolicy(signed, memory, nowMs)
  await store.set(namespace, key, JSON.stringify({ installed: digest, memory: verified.memory } satisfies KeptMemory))
  return { policy: verified.policy, expiresMs: verified.expiresMs, signedMs: verified.memory.lastSeenMs }
}

async function inFile<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const details = error instanceof PlatformError && error.details !== undefined ? { details: error.details } : {}
    throw hypersdkErrors.error('CONFIG_TRUST_POLICY', { path, reason }, { cause: error, ...details })
  }
}

/** A policy must say the same to whoever reviews it: of a key written twice one reader sees the first, another the last. */
async function jsonIn(path: string): Promise<unknown> {
  const parsed = parseStrictJson(await readFile(path, 'utf8'), depthLimit)
  switch (parsed.kind) {
    case 'value':
      return parsed.value
    case 'syntax':
      throw parsed.error
    case 'too-deep':
      throw new Error(`its values are nested more than ${depthLimit} deep`)
    case 'forbidden-key':
    case 'repeated-key':
      throw new Error(`the key "${parsed.key}" is ${parsed.kind === 'repeated-key' ? 'there twice' : 'not allowed'}`)
  }
}
