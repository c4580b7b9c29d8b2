"""The archive flag."""

from tests.support.domain.desk import open_desk


def test_an_archived_invoice_is_restored() -> None:
    desk = open_desk()
    assert desk.accept("ArchiveInvoice").archived
    assert not desk.accept("RestoreInvoice").archived
    assert desk.event_types[-2:] == ["invoice.archived", "invoice.restored"]


def test_archiving_or_restoring_twice_emits_one_event() -> None:
    desk = open_desk()
    desk.accept("RestoreInvoice")
    desk.accept("ArchiveInvoice")
    desk.accept("ArchiveInvoice")
    assert desk.event_types == ["invoice.created", "invoice.opened", "invoice.archived"]
