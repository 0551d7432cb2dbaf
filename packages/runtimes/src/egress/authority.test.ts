import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAuthority } from './authority.ts'

test('a place has one spelling: what differs only in case or in the form of an IPv6 address is the same', () => {
  const same: Readonly<Record<string, string>> = {
    'api.example.com:443': 'api.example.com:443',
    'API.Example.COM:443': 'api.example.com:443',
    'under_score.internal:8006': 'under_score.internal:8006',
    'xn--bcher-kva.example:1': 'xn--bcher-kva.example:1',
    'localhost:65535': 'localhost:65535',
    '192.0.2.1:80': '192.0.2.1:80',
    '[2001:DB8:0:0::1]:443': '[2001:db8::1]:443',
    '[::1]:80': '[::1]:80',
  }
  for (const [given, text] of Object.entries(same)) assert.equal(parseAuthority(given)?.text, text, given)
})

test('anything that another reader might take for another place is no place', () => {
  const names = [
    '',
    '.',
    'a..b',
    '.a.example',
    'a.example.',
    '-a.example',
    'a-.example',
    'a b.example',
    'a%00.example',
    'a\0.example',
  ]
  const users = [
    'user@a.example',
    'user:secret@a.example',
    'a.example#',
    'a.example?',
    'a.example/',
    'http://a.example',
    'bücher.example',
  ]
  const numbers = [
    '127.1',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '127.0.0.01',
    '1.2.3.4.5',
    '127.0.0.0x1',
    'example.0x1',
    '256.1.1.1',
  ]
  const addresses = ['::1', '[::1', '[fe80::1%eth0]', '[fe80::1%25eth0]', '[127.0.0.1]', '[v1.a]', '[::1]]', '[]', '[g::1]']
  const long = ['a'.repeat(64), `${'a.'.repeat(127)}ab`]
  for (const host of [...names, ...users, ...numbers, ...addresses, ...long]) {
    assert.equal(parseAuthority(`${host}:443`), undefined, host)
  }
  for (const port of ['', '0', '0443', '65536', '+1', '-1', '1e3', '0x50', ' 80', '80 ', '８０', '443\0']) {
    assert.equal(parseAuthority(`a.example:${port}`), undefined, port)
  }
  assert.equal(parseAuthority('a.example'), undefined)
})
