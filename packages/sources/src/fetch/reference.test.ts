import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseIndexReference } from './index/index-reference.ts'
import { localPath } from './local-path.ts'
import { parseNpmReference } from './npm/npm-reference.ts'
import { readOciReference } from './oci/oci-reference.ts'
import { fetcherFor } from './reference.ts'

test('a name and a password that were put into a reference are not told again, wherever it should lead', () => {
  const cases: readonly [read: (reference: string) => unknown, references: readonly string[]][] = [
    [
      parseNpmReference,
      [
        'npm:https://deploy:hunter2@registry.example.org/s3',
        'npm:https://deploy:hun/#hunter2@registry.example.org/s3',
        'npm:deploy:hunter2@registry.example.org/s3',
      ],
    ],
    [readOciReference, ['oci://deploy:hunter2@registry.example.org/s3', 'oci:deploy:hunter2@registry.example.org/s3']],
    [parseIndexReference, ['index:https://deploy:hunter2@index.example.org', 'index:deploy:hunter2@acme/s3']],
    [localPath, ['file://deploy:hunter2@host/s3.tgz']],
    [
      (reference) => fetcherFor([], reference),
      ['ftp://deploy:hunter2@host/s3', 'deploy:hunter2@host/s3', 'ssh://hunter2@host/s3'],
    ],
  ]
  for (const [read, references] of cases) {
    for (const reference of references) {
      const isHidden = (error: Error): boolean => error.message.includes('…@') && !/hunter2|deploy/.test(JSON.stringify(error))
      assert.throws(() => read(reference), isHidden, reference)
    }
  }
})

test('a reference without a password is told as it was written', () => {
  assert.throws(() => parseNpmReference('npm:s3@*.1'), { message: /npm:s3@\*\.1/ })
  assert.throws(() => readOciReference('oci:localhost:5000/s3@latest'), { message: /oci:localhost:5000\/s3@latest/ })
  assert.throws(() => fetcherFor([], 's3@1'), { message: /s3@1/ })
  assert.throws(() => fetcherFor([], 'ftp://host:8443/s3@1'), { message: /ftp:\/\/host:8443\/s3@1/ })
})
