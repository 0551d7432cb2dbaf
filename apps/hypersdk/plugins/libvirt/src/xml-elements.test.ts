import assert from 'node:assert/strict'
import { test } from 'node:test'
import { all, find, readXml } from './xml-elements.ts'

test('elements, attributes, text, entities, CDATA and comments are read', () => {
  const root = readXml(`<?xml version="1.0"?>
    <!-- a <comment> --><a b='1' c="x &amp; &#x41;&#66;">one<d/><ns:d e='&quot;"'/> two <![CDATA[<raw> & ]]></a>`)
  assert.deepEqual({ ...root.attributes }, { b: '1', c: 'x & AB' })
  assert.equal(root.text, 'one two <raw> &')
  assert.deepEqual(
    root.children.map((child) => child.name),
    ['d', 'ns:d'],
  )
  assert.equal(find(root, 'ns:d')?.attributes['e'], '""')
  assert.equal(find(root, 'nothing', 'below'), undefined)
  assert.equal(all(undefined, 'x').length, 0)
})

test('an attribute named like a member of every object is only an attribute', () => {
  const { attributes } = readXml('<a __proto__="x" constructor="y"/>')
  assert.deepEqual(Object.entries(attributes), [
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ])
  assert.equal(attributes['toString'], undefined)
})

for (const [what, xml] of Object.entries({
  nothing: '',
  'text alone': 'hello',
  'an open element': '<a><b></a>',
  'an element left open': '<a><b></b>',
  'two roots': '<a/><b/>',
  'text behind the root': '<a/>x',
  'a document type': '<!DOCTYPE a [<!ENTITY x "y">]><a/>',
  'an entity of its own': '<a>&x;</a>',
  'an entity without end': '<a>&lt</a>',
  'an attribute without quotes': '<a b=1/>',
  'a stray bracket': '<a> < </a>',
  'a depth without end': '<a>'.repeat(100) + '</a>'.repeat(100),
  'a size without end': `<a>${' '.repeat(9 * 1024 * 1024)}</a>`,
})) {
  test(`${what} is refused`, () => {
    assert.throws(() => readXml(xml))
  })
}

test('a long document takes time in proportion to its length', () => {
  const root = readXml(`<a>${'<b c="d">e</b>'.repeat(100_000)}</a>`)
  assert.equal(root.children.length, 100_000)
})
