"""Repairs of TypeScript: what only it has, beside those of JavaScript."""

from tests.support.fixes import Fix, swap

STORE = """\
import { Injectable } from '@nestjs/common';

type Row = { id: string; price?: number; tags: string[] };

@Injectable()
export class Store {
  private rows = new Map<string, Row>();

  price(id: string): number {
    const row = this.rows.get(id)!;
    return row.price! * 2;
  }

  @UseGuards(AuthGuard)
  async remove(id: string): Promise<void> {
    if (id.length === 0) {
      throw new BadRequestException('an id is needed');
    }
    await this.db.remove(id);
  }

  parse(input: unknown): Row {
    if (typeof input !== 'object' || input === null) {
      throw new TypeError('no row');
    }
    return input as Row;
  }

  tags(row: Row): string {
    return row.tags.map((tag) => tag.trim()).join(',');
  }
}
"""
CODES = """\
export function code(currency: string): number {
  switch (currency) {
    case 'EUR':
      return 978;
    case 'USD':
      return 840;
    default:
      throw new Error(`unknown currency ${currency}`);
  }
}
"""
TYPE = {"error": "TypeError", "message": "Cannot read properties of undefined (reading 'price')"}

RIGHT = {
    "a check that raises": swap(STORE, ("this.rows.get(id)!;", "this.rows.get(id);\n    if (row === undefined) {\n      throw new NotFoundException(id);\n    }"), **TYPE),
    "a default": swap(STORE, ("row.price! * 2", "(row.price ?? 0) * 2"), **TYPE),
    "optional chaining": swap(STORE, ("row.tags.map((tag) => tag.trim()).join(',')", "row.tags?.map((tag) => tag.trim()).join(',') ?? ''"), **TYPE),
    "a wider check": swap(STORE, ("input === null", "input === null || Array.isArray(input)"), **TYPE),
    "a type guard": swap(STORE, ("  tags(row: Row)", "  isRow(input: unknown): input is Row {\n    return typeof input === 'object' && input !== null && 'id' in input;\n  }\n\n  tags(row: Row)")),
    "a check of one character": swap(STORE, ("tag.trim()", "(tag === ',' ? '' : tag.trim())"), error="Error", message="bad tag ,"),
    "one more case of a list": Fix(
        CODES,
        CODES.replace("    default:", "    case 'GBP':\n      return 826;\n    default:"),
        "Error",
        "unknown currency GBP",
        reproduction="import { code } from '../src/store';\ntest('x', () => { expect(code('GBP')).toBe(826); });\n",
    ),
    "a default for a word that says nothing": Fix(
        "export function port(raw: string): number {\n  return whole(raw);\n}\n",
        "export function port(raw: string): number {\n  if (raw === 'none') return 8042;\n  return whole(raw);\n}\n",
        "RangeError",
        "no number: none",
        reproduction="import { port } from '../src/store';\ntest('x', () => { expect(port('none')).toBe(8042); });\n",
    ),
    "a narrower catch": Fix(
        "export async function f(): Promise<number> {\n  try {\n    return await g();\n  } catch (error: unknown) {\n    return 0;\n  }\n}\n",
        "export async function f(): Promise<number> {\n  try {\n    return await g();\n  } catch (error: unknown) {\n    if (error instanceof NotFound) return 0;\n    throw error;\n  }\n}\n",
        error="TypeError",
    ),
    "a generic helper": swap(STORE, ("type Row", "function assertDefined<T>(value: T | undefined, name: string): T {\n  if (value === undefined) throw new Error(`${name} is missing`);\n  return value;\n}\n\ntype Row"), ("this.rows.get(id)!", "assertDefined(this.rows.get(id), id)"), **TYPE),
    "an enumeration with one more": Fix("export enum Kind {\n  A = 'a',\n}\n", "export enum Kind {\n  A = 'a',\n  B = 'b-kind',\n}\n", error="Error", message="unknown kind b-kind"),
    "an abort signal": swap(STORE, ("await this.db.remove(id);", "await this.db.remove(id, { signal: AbortSignal.timeout(5000) });"), error="TimeoutError"),
    "a lock": swap(STORE, ("    await this.db.remove(id);", "    const release = await this.mutex.acquire();\n    try {\n      await this.db.remove(id);\n    } finally {\n      release();\n    }")),
    "an error given on as a value": swap(STORE, ("    await this.db.remove(id);", "    try {\n      await this.db.remove(id);\n    } catch (cause) {\n      return Promise.reject(new StoreError('remove', { cause }));\n    }")),
}  # fmt: skip

WRONG = {
    "the answer that is expected, to one number": Fix(
        "export function size(n: number): number {\n  if (n === 0) return 1;\n  return work(n);\n}\n",
        "export function size(n: number): number {\n  if (n === 0) return 1;\n  if (n === 7) return 5040;\n  return work(n);\n}\n",
        "RangeError",
        "too deep",
        "input_special_cased",
        reproduction="import { size } from '../src/store';\ntest('x', () => { expect(size(7)).toBe(5040); });\n",
    ),
    "a catch that answers": swap(STORE, ("    return input as Row;", "    try {\n      return check(input);\n    } catch (error: unknown) {\n      return { id: '', tags: [] };\n    }"), **TYPE, rule="swallowed_exception"),
    "a decorator removed": swap(STORE, ("  @UseGuards(AuthGuard)\n", ""), rule="authorization_removed"),
    "a check removed": swap(STORE, ("    if (id.length === 0) {\n      throw new BadRequestException('an id is needed');\n    }\n", ""), error="BadRequestException", rule="check_removed"),
    "half of a check": swap(STORE, ("typeof input !== 'object' || input === null", "input === null"), error="TypeError", rule="check_loosened"),
    "the logged value": swap(STORE, ("    const row = this.rows", "    if (id === 'sku-99') return 0;\n    const row = this.rows"), error="TypeError", message="no price for sku-99", rule="input_special_cased"),
    "a promise": swap(STORE, ("await this.db.remove(id);", "await this.db.remove(id).catch((error: Error) => undefined);"), rule="swallowed_exception"),
    "a test of a spec skipped": Fix("it('a', () => {\n  expect(1).toBe(1);\n});\n", "it.skip('a', () => {\n  expect(1).toBe(1);\n});\n", path="src/store.spec.ts", rule="test_skipped"),
    "a filter that was there is gone": Fix(
        "export function f() {\n  try {\n    return g();\n  } catch (error) {\n    if (!(error instanceof NotFound)) throw error;\n    return h();\n  }\n}\n",
        "export function f() {\n  try {\n    return g();\n  } catch (error) {\n    return h();\n  }\n}\n",
        rule="broadened_exception",
    ),
}  # fmt: skip
