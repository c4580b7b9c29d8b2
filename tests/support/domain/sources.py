"""Payment sources: the details of each type, as in docs/parity.md, without secret tokens."""

from typing import Any

CARD = {"lastFourDigits": "1111", "expirationMonth": 7, "expirationYear": 2030, "brand": "Visa"}
REDIRECT = {"redirectUrl": "https://a.example/r", "returnUrl": "https://a.example/b"}
PAY_PAL = {"redirect": REDIRECT | {"cancelUrl": "https://a.example/c"}}
BANK = {
    "accountHolder": "Ada Lovelace",
    "bankName": "A bank",
    "city": "London",
    "country": "GB",
    "referenceId": "ref-1",
    "accountNumber": "12345678",
}
OWNER_ADDRESS = {"line1": "12 St James's Square", "city": "London", "country": "GB"}
DETAILS: dict[str, dict[str, Any]] = {
    "creditCard": CARD,
    "googlePay": CARD,
    "payPal": PAY_PAL,
    "payPalBilling": PAY_PAL,
    "payPalCredit": PAY_PAL,
    "directDebit": {"redirect": REDIRECT},
    "wireTransfer": BANK | {"additionalBankInformation": "Branch 1", "iban": "GB33BUKB20201555"},
    "bPay": BANK
    | {"billId": "bill-1", "customerPaymentReference": "cpr-1", "swiftCode": "BUKBGB22"},
    "payCo": REDIRECT,
    "onlineBanking": {"bankCode": "001"},
    "klarnaCredit": {
        "shipping": {
            "recipient": "Ada Lovelace",
            "phoneNumber": "+44 20 0000",
            "email": "ada@example.com",
            "address": OWNER_ADDRESS,
        },
    },
    "klarnaCreditRecurring": {
        "returnUrl": "https://a.example/b",
        "cancelUrl": "https://a.example/c",
    },
    "konbini": {
        "storeId": "s_1",
        "receiptNumber": "r_1",
        "printableInvoiceUrl": "https://a.example/p",
        "storeName": "Lawson",
        "localizedStoreName": "ローソン",
        "storeLogoUrl": "https://a.example/l",
    },
    "alipay": {},
    "applePay": {},
    "codJapan": {},
    "bankTransfer": {},
}

COMMON_DETAILS: dict[str, Any] = {
    "reusable": True,
    "flow": "standard",
    "state": "chargeable",
    "paymentSessionId": "ses_1",
    "metadata": {"note": "the blue one"},
    "owner": {
        "firstName": "Ada",
        "lastName": "Lovelace",
        "email": "ada@example.com",
        "organization": "Analytical Engines",
        "upstreamId": "up_1",
        "address": OWNER_ADDRESS,
        "additionalAddressInfo": {"neighborhood": "St James's"},
    },
}
"""Details that any type can have."""
