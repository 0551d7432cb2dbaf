import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openapiDocument } from '../api/openapi.ts'
import { changesOf, demoKernel } from '../fixtures/demo-kernel.ts'
import { startServer } from '../fixtures/start-server.ts'
import { accessLookup, managementAccess } from './access.ts'
import { scopes, type Scope } from './scope.ts'
import { tokenDigest } from './token.ts'

const tokenOf = (scope: Scope): string => scope.padEnd(43, scope)
const tokens = scopes.map((scope) => ({ name: scope, scope, sha256: tokenDigest(tokenOf(scope)) }))

/** Every operation of the document, with the scope it says it needs; undefined where it needs no token. */
function operations(): readonly { readonly method: string; readonly path: string; readonly scope: string | undefined }[] {
  return Object.entries(openapiDocument().paths ?? {}).flatMap(([path, item]) =>
    (['get', 'post', 'put', 'delete'] as const).flatMap((method) => {
      const { security } = item[method] ?? {}
      return security === undefined ? [] : [{ method: method.toUpperCase(), path, scope: security[0]?.['token']?.[0] }]
    }),
  )
}

test('every route of the document is in the table of what routes need, and nothing else is', () => {
  const documented = operations().map(({ method, path }) => `${method} ${path}`)
  const listed = Object.keys(managementAccess).filter((route) => route !== 'GET /openapi.json')
  assert.deepEqual(listed.toSorted(), documented.toSorted())
})

test('the document says what is enforced: each route refuses the next smaller scope and takes its own', async (t) => {
  const server = await startServer(t, undefined, { guard: { tokens, failuresPerMinute: 1_000 } })
  let refused = 0
  for (const { method, path, scope } of operations()) {
    const at = path.replaceAll(/\{\w+\}/g, 'one')
    if (scope === undefined) {
      assert.equal((await server.bare(at, { method })).status, 200, path)
      continue
    }
    const own = scopes.findIndex((each) => each === scope)
    const smaller = scopes[own - 1]
    if (smaller !== undefined) {
      const answer = await server.as(tokenOf(smaller), at, { method })
      assert.deepEqual([answer.status, answer.problem.code], [403, 'SERVER_SCOPE_REFUSED'], `${method} ${path}`)
      refused += 1
    }
    for (const enough of scopes.slice(own)) {
      assert.equal((await server.as(tokenOf(enough), at, { method })).status, 200, `${method} ${path} ${enough}`)
    }
  }
  assert.ok(refused > 10)
})

test('what is on no list needs admin, and no way of writing a path needs less', async (t) => {
  const { kernel } = await demoKernel(t)
  const server = await startServer(t, kernel, { guard: { tokens } })
  for (const [method, path] of [
    ['GET', '/api/%74okens'],
    ['GET', '/api/%74%6Fkens'],
    ['GET', '/api//tokens'],
    ['GET', '/api/tokens/'],
    ['GET', '/api/tokens/x/y/z'],
    ['GET', '/api/plugins/../tokens'],
    ['HEAD', '/api/tokens'],
    ['POST', '/api/plugins/one/%70rofile'],
    ['POST', '/api/plugins/demo/one/profile'],
    ['POST', '/api/plugins/demo%2Fone/profile'],
    ['POST', '/api/plugins/profile/pin/profile'],
    ['POST', '/api/nothing'],
  ] as const) {
    const answer = await server.as(tokenOf('install'), path, { method })
    assert.equal(answer.status, 403, `${method} ${path}`)
  }
  for (const path of ['/api/plugins/one/reload', '/api/plugins/%72eload', '/api/plugins/demo/pin/reload']) {
    assert.equal((await server.as(tokenOf('operate'), path, { method: 'POST' })).problem.code, 'SERVER_SCOPE_REFUSED', path)
  }
  assert.equal((await server.as(tokenOf('operate'), '/api/plugins/one/pin', { method: 'DELETE' })).status, 403)
  assert.deepEqual(changesOf(kernel), [])
})

test('of several entries that fit the strictest counts, and a host adds its own', () => {
  const accessOf = accessLookup({
    'GET /a/{id}': { scope: 'read' },
    'GET /a/{id}/secret': { scope: 'admin' },
    'POST /a.b': { scope: 'read' },
  })
  assert.deepEqual(accessOf('GET', '/a/x'), { scope: 'read' })
  assert.deepEqual(accessOf('GET', '/a/x/secret'), { scope: 'admin' })
  assert.deepEqual(accessOf('POST', '/a.b'), { scope: 'read' })
  assert.deepEqual(accessOf('POST', '/axb'), { scope: 'admin' })
})
