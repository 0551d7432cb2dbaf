import { durationMs, sizeBytes } from '@backplane/kernel'
import { z } from 'zod'
import { quantity } from './plugin-limits.ts'

const Path = z.string().min(1, { error: 'must not be empty' })
const Host = z.string().min(1)

/** Who asks: a bearer token, or a name with a password. Handles such as `${secret:npm}` are resolved at each use. */
const credential = {
  token: z.string().min(1).optional(),
  username: z.string().min(1).optional(),
  password: z.string().min(1).optional(),
}

/** A place packages may come from, with everything below it. */
const Place = z
  .strictObject({
    url: z.string().min(1),
    /** Hosts it may lead to for what it holds. */
    also_from: z.array(Host).default([]),
    /** Takes what comes without encryption; digests still hold. */
    allow_http: z.boolean().default(false),
    ...credential,
  })
  .superRefine(checkCredential)

const GitHost = z.strictObject({ ca_file: Path.optional(), ...credential }).superRefine(checkCredential)

/** A signed index, on a web server or, by `file:`, in a folder. */
const Index = z
  .strictObject({
    url: z.string().min(1),
    /** Files with the public keys, PEM, of those who may sign it. */
    keys: z.array(Path).min(1, { error: 'names no keys, so nobody could have signed it' }),
    /** How many of them must have. */
    threshold: z.int().min(1).default(1),
    allow_http: z.boolean().default(false),
    ...credential,
  })
  .superRefine(checkCredential)

/** A registry of OCI artifacts; its name is its host. */
const OciRegistry = z
  .strictObject({
    url: z.string().min(1).optional(),
    also_from: z.array(Host).default([]),
    /** Other hosts that may give tokens for it, and are shown its credential for that. */
    tokens_from: z.array(Host).default([]),
    allow_http: z.boolean().default(false),
    ...credential,
  })
  .superRefine(checkCredential)

function checkCredential(
  { token, username, password }: { token?: string | undefined; username?: string | undefined; password?: string | undefined },
  context: z.RefinementCtx,
): void {
  if (token !== undefined && (username !== undefined || password !== undefined)) {
    context.addIssue({ code: 'custom', message: 'has a token and a name with a password: keep one of them', path: ['token'] })
  }
  if ((username === undefined) !== (password === undefined)) {
    const missing = username === undefined ? 'username' : 'password'
    context.addIssue({ code: 'custom', message: `needs ${missing} as well`, path: [missing] })
  }
}

/** Where packages may be installed from. Default: nothing but archives that are sent to the daemon. */
export const PackageSources = z.strictObject({
  /** Folders and archives below these may be installed by their path. */
  directories: z.array(Path).default([]),
  /** Largest archive that may be sent to the daemon. */
  upload_limit: quantity(sizeBytes, 'must be a size with a unit, such as "64MiB", of at least 1KiB', 1_024).prefault('64MiB'),
  /** Where archives may be downloaded from by their address. */
  archives: z.array(Place).default([]),
  /** Registries by scope (`@acme`), and `*` for all other names. */
  npm: z
    .record(z.string().regex(/^(?:\*|@[a-z0-9][\w.-]*)$/, { error: 'must be a scope such as @acme, or *' }), Place)
    .default({}),
  /** Hosts of git repositories, by `host` or `host:port`. */
  git: z.record(Host, GitHost).default({}),
  /** Folders that git repositories may be read from by `file:`. */
  git_folders: z.array(Path).default([]),
  /** Registries of OCI artifacts, by `host` or `host:port`. */
  oci: z.record(Host, OciRegistry).default({}),
  /** Static indexes, by the name that references call them. */
  indexes: z
    .record(z.string().regex(/^[a-z0-9][a-z0-9-]*$/, { error: 'must be a name of small letters, digits and -' }), Index)
    .default({}),
  /** How often the indexes are asked what they warn of, ms. */
  refresh: quantity(durationMs, 'must be a duration with a unit of at least 1s, such as "1h"', 1_000).prefault('1h'),
  /** Where a plugin that others need is looked for, by id or `publisher/*`; a `*` is the name: `npm:@acme/*`. */
  dependencies: z
    .record(
      z.string().regex(/^[a-z0-9][a-z0-9-]*\/(?:\*|[a-z0-9][a-z0-9-]*)$/, { error: 'must be an id, or publisher/*' }),
      z.string().min(1),
    )
    .default({}),
})
/** What {@link PackageSources} yields. */
export type PackageSources = z.output<typeof PackageSources>
/** One of its places. */
export type PackagePlace = z.output<typeof Place>
