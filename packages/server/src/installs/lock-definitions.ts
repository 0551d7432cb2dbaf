import { createRoute, z } from '@hono/zod-openapi'
import { later } from '../api/operation-definitions.ts'
import { ChangeHeaders, json, problem } from '../api/route-parts.ts'

const showLock = createRoute({
  method: 'get',
  path: '/api/lock',
  summary: 'What is installed and approved, as the lock file says; the ETag is its text’s',
  responses: { 200: json(z.record(z.string(), z.unknown()), 'The lock.'), default: problem },
})

const Named = z.object({ id: z.string(), version: z.string(), digest: z.string() })

const verifyLock = createRoute({
  method: 'post',
  path: '/api/lock/verify',
  summary: 'Hash what is installed again and compare it with the lock',
  request: { headers: ChangeHeaders },
  responses: {
    200: json(z.object({ ok: z.boolean(), problems: z.array(Named) }).openapi('LockVerification'), 'What is missing or changed.'),
    ...later,
    default: problem,
  },
})

const LockRestored = z
  .object({
    restored: z.array(z.string()),
    failed: z.array(z.object({ id: z.string(), code: z.string(), message: z.string(), hint: z.string().nullable() })),
  })
  .openapi('LockRestored')

const restoreLock = createRoute({
  method: 'post',
  path: '/api/lock/restore',
  summary: 'Fetch what the lock names and the store lacks, from exactly where the lock says',
  request: {
    headers: ChangeHeaders,
    body: {
      content: {
        'application/json': {
          schema: z.strictObject({
            bundle: z.string().max(2_000).optional().describe('Takes it from this instead: `bundle:/media/usb/plugins.bundle`.'),
          }),
        },
      },
    },
  },
  responses: {
    200: json(LockRestored, 'Ids that were fetched, and what could not be.'),
    ...later,
    default: problem,
  },
})

const BundleView = z
  .object({
    digest: z.string(),
    size_bytes: z.int(),
    plugins: z.array(z.string()),
    location: z.string().describe('Where its bytes are, until the next one is made.'),
  })
  .openapi('Bundle')

const makeBundle = createRoute({
  method: 'post',
  path: '/api/lock/bundle',
  summary: 'Make one file of everything the lock names, for machines without a network',
  request: { headers: ChangeHeaders },
  responses: { 200: json(BundleView, 'It is made.'), ...later, default: problem },
})

const readBundle = createRoute({
  method: 'get',
  path: '/api/lock/bundles/{digest}',
  summary: 'The bundle that was made last',
  request: { params: z.object({ digest: z.string().max(100) }) },
  responses: {
    200: { description: 'Its bytes.', content: { 'application/gzip': { schema: z.string().openapi({ format: 'binary' }) } } },
    default: problem,
  },
})

const collectStore = createRoute({
  method: 'post',
  path: '/api/store/gc',
  summary: 'Remove stored packages and uploads that nobody needs',
  request: { headers: ChangeHeaders },
  responses: {
    200: json(z.object({ packages: z.int(), uploads: z.int() }).openapi('StoreCollected'), 'How many went.'),
    ...later,
    default: problem,
  },
})

const FindingsView = z
  .object({
    ok: z.boolean().describe('Nothing is left to be put right.'),
    findings: z.array(
      z.object({
        kind: z.string().describe('`leftover`, `unclaimed`, `damaged`, `missing`, or another.'),
        subject: z.string(),
        problem: z.string(),
        fixed: z.boolean(),
        action: z.string(),
      }),
    ),
  })
  .openapi('StorageFindings')

const findings = createRoute({
  method: 'get',
  path: '/api/store/findings',
  summary: 'What is wrong with what the host keeps on its disk; hashes all that is stored',
  responses: { 200: json(FindingsView, 'What was found; nothing was changed.'), default: problem },
})

const repairStore = createRoute({
  method: 'post',
  path: '/api/store/repair',
  summary: 'Put that right: remove leftovers, move aside what is damaged or nobody’s, fetch again what the lock names',
  request: { headers: ChangeHeaders },
  responses: { 200: json(FindingsView, 'What was done, and what is left.'), ...later, default: problem },
})

/** All of them. */
export const definitions = {
  showLock,
  verifyLock,
  restoreLock,
  makeBundle,
  readBundle,
  collectStore,
  findings,
  repairStore,
} as const
