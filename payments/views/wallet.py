"""Balance, statement and cover; offers and passes."""

from datetime import datetime
from uuid import UUID

from rest_framework.request import Request

from config import pages
from config.endpoints import operation
from payments import rendering
from payments.access import placements
from payments.ledger import wallets
from payments.shapes import (
    CoversAnswer,
    CoversQuery,
    OffersAnswer,
    OffersQuery,
    PassesAnswer,
    WalletAnswer,
)
from payments.statement_shapes import StatementAnswer, StatementQuery
from payments.store import passes
from viewers.authentication import ViewerEndpoint


class MyWallet(ViewerEndpoint):
    @operation(summary="What can be spent now", answer=WalletAnswer)
    def get(self, request: Request, *, now: datetime) -> WalletAnswer:
        """The balance by kind, what is owed, until when episodes open without coins, and the coins that
        will expire, soonest first."""
        shown = wallets.overview(
            viewer_id=self.viewer.viewer_id, environment=self.viewer.environment, at=now
        )
        return rendering.wallet(shown, environment=self.viewer.environment)


class MyStatement(ViewerEndpoint):
    @operation(
        summary="Every movement of coins, newest first",
        query=StatementQuery,
        answer=StatementAnswer,
        refusals=[pages.CursorInvalid],
    )
    def get(self, request: Request, *, now: datetime, query: StatementQuery) -> StatementAnswer:
        """One entry per movement with its cause and the balances it left."""
        before = pages.decode(query.cursor, tuple[UUID])[0] if query.cursor else None
        movements = wallets.statement(
            viewer_id=self.viewer.viewer_id,
            environment=self.viewer.environment,
            before=before,
            limit=query.limit + 1,
        )
        page, next_cursor = pages.cut(
            movements, limit=query.limit, position=lambda movement: [str(movement.transfer.id)]
        )
        return StatementAnswer(
            entries=[rendering.movement(movement) for movement in page], next_cursor=next_cursor
        )


class MyPasses(ViewerEndpoint):
    @operation(
        summary="What covers the viewer, has, or will",
        query=CoversQuery,
        answer=CoversAnswer,
        refusals=[pages.CursorInvalid],
    )
    def get(self, request: Request, *, now: datetime, query: CoversQuery) -> CoversAnswer:
        """Passes that were bought or given, the latest given first. One bought while another runs begins
        when that ends."""
        before = pages.decode(query.cursor, tuple[UUID])[0] if query.cursor else None
        found = passes.covers(
            viewer_id=self.viewer.viewer_id,
            environment=self.viewer.environment,
            before=before,
            limit=query.limit + 1,
        )
        page, next_cursor = pages.cut(
            found, limit=query.limit, position=lambda cover: [str(cover.id)]
        )
        return CoversAnswer(
            covered_until=wallets.covered_until_of(
                viewer_id=self.viewer.viewer_id, environment=self.viewer.environment, at=now
            ),
            covers=[rendering.cover(cover, now=now) for cover in page],
            next_cursor=next_cursor,
        )


class Passes(ViewerEndpoint):
    @operation(summary="Passes on sale", answer=PassesAnswer)
    def get(self, request: Request, *, now: datetime) -> PassesAnswer:
        """In the operator's order. The store's price is what the viewer will pay."""
        return PassesAnswer(passes=[passes.offer(product) for product in passes.on_sale()])


class Offers(ViewerEndpoint):
    @operation(summary="Coin packs and offers on sale", query=OffersQuery, answer=OffersAnswer)
    def get(self, request: Request, *, now: datetime, query: OffersQuery) -> OffersAnswer:
        """In the operator's order. The store's price is what the viewer will pay. An offer that this
        viewer can have stands in the place of its pack; the answer is this viewer's alone. With a
        placement whose configuration names offers, those are answered, in its order."""
        found = placements.offers_at(
            code=query.placement,
            viewer_id=self.viewer.viewer_id,
            device_id=self.viewer.device_id,
            environment=self.viewer.environment,
            now=now,
        )
        return OffersAnswer(offers=[rendering.offer(offered) for offered in found])
