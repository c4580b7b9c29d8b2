// The main job by generated types alone: openapi-typescript's for calls, quicktype's for messages.
// Prints what it saw as one line of JSON.
import { Convert } from "./messages.js";
import type { components, paths } from "./openapi.js";

declare const process: { env: Record<string, string | undefined> };

type NewInvoice = components["schemas"]["NewInvoice"];
type Payment = components["schemas"]["RecordPayment"];
type Problem = components["schemas"]["ProblemDocument"];
type Invoice = paths["/v1/invoices"]["post"]["responses"][201]["content"]["application/json"];
type Events =
  paths["/v1/invoices/{invoice_id}/events"]["get"]["responses"][200]["content"]["application/json"];

async function call<Answer>(method: string, path: string, body?: object): Promise<Answer> {
  const response = await fetch(`${process.env.API_URL}${path}`, {
    method,
    headers: {
      Authorization: `Bearer ${process.env.API_TOKEN}`,
      "Content-Type": "application/json",
      "Idempotency-Key": crypto.randomUUID(),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return (await response.json()) as Answer;
}

const draft: NewInvoice = {
  customer_id: "cus_42",
  currency: "USD",
  due_date: "2026-12-20",
  items: [
    { description: "Pro plan", quantity: "2", unit_price: "100.00", tax: { rate: "0.07125" } },
  ],
};
const invoice = await call<Invoice>("POST", "/v1/invoices", draft);
const path = `/v1/invoices/${invoice.invoice_id}`;

const payment: Payment = { payment_id: "pay_1", amount: "214.25", currency: "USD" };
const paid = await call<Invoice>("POST", `${path}/payments`, payment);
const refused = await call<Problem>("POST", `${path}/void`, {});

const history = await call<Events>("GET", `${path}/events`);
const [created, opened, recorded, settled] = history.data.map((event) => JSON.stringify(event));
const messages = [
  Convert.toInvoiceCreated(created ?? ""),
  Convert.toInvoiceOpened(opened ?? ""),
  Convert.toPaymentRecorded(recorded ?? ""),
  Convert.toInvoicePaid(settled ?? ""),
];

console.log(
  JSON.stringify({
    total: invoice.total,
    state: paid.state,
    code: refused.code,
    types: messages.map((message) => message.type),
    due: messages.map((message) => message.data.amount_due),
  }),
);
