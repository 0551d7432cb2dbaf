import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { Redactor } from '../secrets/redactor.ts'
import { fileCleaner, withoutSecrets } from './without-secrets.ts'

async function cleaned(redactor: Redactor, pieces: readonly string[]): Promise<string> {
  const bytes = ReadableStream.from(pieces.map((piece) => new Uint8Array(Buffer.from(piece))))
  let text = ''
  for await (const piece of bytes.pipeThrough(fileCleaner(redactor)).pipeThrough(new TextDecoderStream())) text += piece
  return text
}

test('a secret is taken out of a file also where it is cut in two, whole letters stay whole, and the rest is as it was', async () => {
  const redactor = new Redactor()
  assert.equal(await cleaned(redactor, ['{"a":', '1}']), '{"a":1}')
  redactor.learn('swordfish')
  redactor.learn('opensesame')
  const text = `${'x'.repeat(50)}swordfish é opensesame ${'y'.repeat(50)}opens`
  const wanted = `${'x'.repeat(50)}[redacted] é [redacted] ${'y'.repeat(50)}opens`
  for (const size of [1, 3, 7, 200]) {
    const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, index) =>
      text.slice(index * size, (index + 1) * size),
    )
    assert.equal(await cleaned(redactor, pieces), wanted, String(size))
  }
})

test('an archive is answered byte for byte once a secret is known, and the secret is still taken out of everything else', async () => {
  const redactor = new Redactor()
  redactor.learn('swordfish')
  const answered = async (bytes: Uint8Array<ArrayBuffer>, type: string): Promise<Response> => {
    const headers = { 'content-type': type, 'content-disposition': 'attachment', 'content-length': String(bytes.length) }
    const request = new Request('http://localhost/')
    const answer = withoutSecrets(redactor, async () => new Response(bytes, { headers }))
    const closing = new AbortController().signal
    return answer(request, { via: 'unix', secure: false, address: '', localPort: undefined, target: '/', hosts: [], closing })
  }
  const archive = new Uint8Array(gzipSync('packages'))
  const whole = await answered(archive, 'application/gzip')
  assert.deepEqual(await whole.bytes(), archive)
  assert.equal(whole.headers.get('content-length'), String(archive.length))
  const text = await answered(new Uint8Array(Buffer.from('a swordfish')), 'application/json')
  assert.equal(await text.text(), 'a [redacted]')
})
