-- Subscriptions: what renews as nothing known here is kept as well, the same word again lengthens the one that holds,
-- a refund closes what its own period opened, and a transfer is decided under its lock.

-- The tellings of a subscription, the one that holds against the others first: the latest, and of two of one
-- moment that which opens longer. The rest of the order is only there so that there is one.
CREATE OR REPLACE FUNCTION payments_tellings(p_subscription uuid) RETURNS SETOF payments_subscriptionchange
LANGUAGE sql STABLE AS $$
    SELECT * FROM payments_subscriptionchange
    WHERE subscription_id = p_subscription
    ORDER BY as_of DESC, access_until DESC NULLS LAST, state COLLATE "C" DESC, product_id DESC,
             renews_as_id DESC NULLS LAST, price_consent COLLATE "C" DESC,
             ownership COLLATE "C" DESC, replaces COLLATE "C" DESC,
             renews_as_name COLLATE "C" DESC;
$$;

-- Whether a telling says the same of a subscription as another, at whatever moment.
CREATE FUNCTION payments_says_the_same(
    p_one payments_subscriptionchange, p_other payments_subscriptionchange
) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT (p_one.state, p_one.product_id, p_one.ownership, p_one.price_consent, p_one.replaces,
            p_one.renews_as_name)
         = (p_other.state, p_other.product_id, p_other.ownership, p_other.price_consent,
            p_other.replaces, p_other.renews_as_name)
       AND p_one.access_until IS NOT DISTINCT FROM p_other.access_until
       AND p_one.renews_as_id IS NOT DISTINCT FROM p_other.renews_as_id;
$$;

-- Keeps what a store says of a subscription; safe to repeat, and in any order: every order ends alike.
--
-- A subscription is its first viewer's: p_viewer counts only where it was not known. It is where the first of
-- payments_tellings puts it, and in the place of the subscription that the first of them names which names one.
-- p_renews_as is the pass that p_renews_as_name is, NULL where nothing here has that name.
-- Returns {"id", "viewer_id", "outcome": "new" | "changed" | "outdated" | "repeated"}. What is repeated is no
-- telling of its own: the one that holds is of p_as_of from now on. None of another moment comes between the two,
-- as it would hold itself, so that nothing ends otherwise.
CREATE FUNCTION payments_apply_subscription(
    p_provider text, p_environment text, p_subscription_id text, p_viewer uuid, p_product uuid,
    p_state text, p_access_until timestamptz, p_renews_as uuid, p_renews_as_name text,
    p_ownership text, p_price_consent text, p_replaces text, p_as_of timestamptz, p_cause text,
    p_message uuid, p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_known payments_subscription;
    v_holding payments_subscriptionchange;
    v_told payments_subscriptionchange;
    v_is_latest boolean;
BEGIN
    PERFORM payments_lock_names(
        p_provider, p_environment, ARRAY[p_subscription_id, p_replaces], '{}');
    SELECT * INTO v_known FROM payments_subscription
    WHERE provider = p_provider AND environment = p_environment
      AND subscription_id = p_subscription_id;
    v_told.id := uuidv7();
    v_told.subscription_id := coalesce(v_known.id, uuidv7());
    v_told.cause := p_cause;
    v_told.message_id := p_message;
    v_told.from_state := coalesce(v_known.state, '');
    v_told.state := p_state;
    v_told.product_id := p_product;
    v_told.access_until := p_access_until;
    v_told.renews_as_id := p_renews_as;
    v_told.renews_as_name := p_renews_as_name;
    v_told.ownership := p_ownership;
    v_told.price_consent := p_price_consent;
    v_told.replaces := p_replaces;
    v_told.is_outdated := false;
    v_told.as_of := p_as_of;
    v_told.created_at := p_now;

    SELECT * INTO v_holding FROM payments_tellings(v_known.id) LIMIT 1;
    IF p_as_of > v_holding.as_of AND payments_says_the_same(v_holding, v_told) THEN
        UPDATE payments_subscriptionchange SET since = coalesce(since, as_of), as_of = p_as_of
        WHERE id = v_holding.id;
        UPDATE payments_subscription SET as_of = p_as_of WHERE id = v_known.id;
    END IF;
    IF EXISTS (
        SELECT FROM payments_subscriptionchange change
        WHERE subscription_id = v_known.id AND p_as_of BETWEEN coalesce(since, as_of) AND as_of
          AND payments_says_the_same(change, v_told)
    ) THEN
        RETURN jsonb_build_object(
            'id', v_known.id, 'viewer_id', v_known.viewer_id, 'outcome', 'repeated');
    END IF;

    IF v_known.id IS NULL THEN
        INSERT INTO payments_subscription
            (id, provider, environment, subscription_id, viewer_id, product_id, state, access_until,
             renews_as_id, renews_as_name, ownership, price_consent, replaces, as_of, created_at,
             changed_at)
        VALUES (v_told.subscription_id, p_provider, p_environment, p_subscription_id, p_viewer,
                p_product, p_state, p_access_until, p_renews_as, p_renews_as_name, p_ownership,
                p_price_consent, p_replaces, p_as_of, p_now, p_now);
    END IF;
    INSERT INTO payments_subscriptionchange SELECT (v_told).*;
    SELECT id = v_told.id INTO STRICT v_is_latest
    FROM payments_tellings(v_told.subscription_id) LIMIT 1;
    IF v_is_latest THEN
        UPDATE payments_subscription SET
            product_id = p_product, state = p_state, access_until = p_access_until,
            renews_as_id = p_renews_as, renews_as_name = p_renews_as_name, ownership = p_ownership,
            price_consent = p_price_consent, as_of = p_as_of, changed_at = p_now
        WHERE id = v_told.subscription_id;
    ELSE
        UPDATE payments_subscriptionchange SET is_outdated = true WHERE id = v_told.id;
    END IF;
    PERFORM payments_take_place(v_told.subscription_id, p_now);
    PERFORM payments_fit_with_replaced(v_told.subscription_id, v_known.replaces, p_now);
    RETURN (
        SELECT jsonb_build_object(
            'id', id, 'viewer_id', viewer_id,
            'outcome', CASE WHEN v_known.id IS NULL THEN 'new'
                            WHEN v_is_latest THEN 'changed' ELSE 'outdated' END)
        FROM payments_subscription WHERE id = v_told.subscription_id);
END $$;

-- As code calls it that knows no names of what a subscription renews as.
CREATE OR REPLACE FUNCTION payments_apply_subscription(
    p_provider text, p_environment text, p_subscription_id text, p_viewer uuid, p_product uuid,
    p_state text, p_access_until timestamptz, p_renews_as uuid, p_ownership text,
    p_price_consent text, p_replaces text, p_as_of timestamptz, p_cause text, p_message uuid,
    p_now timestamptz
) RETURNS jsonb
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT payments_apply_subscription(
        p_provider, p_environment, p_subscription_id, p_viewer, p_product, p_state, p_access_until,
        p_renews_as, '', p_ownership, p_price_consent, p_replaces, p_as_of, p_cause, p_message,
        p_now);
$$;

-- Until when a subscription opens episodes, NULL where it does not, and what ends whatever it gave beyond.
--
-- Less than the store grants is open where another subscription has taken its place, and where the money of
-- its latest period has gone back: then what was paid before that began is open to its end. The latest is the one
-- that began last, whichever was heard of last. What the store grants beyond that period's end is another's, whose
-- money nobody has told of; but for a grace, in which nothing was paid.
CREATE OR REPLACE FUNCTION payments_subscription_standing(
    p_subscription payments_subscription, OUT until timestamptz, OUT ended_by text
)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_latest payments_passpurchase;
BEGIN
    ended_by := 'told';
    IF p_subscription.state NOT IN ('active', 'cancelled', 'grace') THEN
        RETURN;
    END IF;
    IF EXISTS (
        SELECT FROM payments_subscription next
        WHERE next.provider = p_subscription.provider
          AND next.environment = p_subscription.environment
          AND next.replaces = p_subscription.subscription_id AND next.state <> 'pending'
    ) THEN
        ended_by := 'replaced';
        RETURN;
    END IF;
    until := p_subscription.access_until;
    SELECT * INTO v_latest FROM payments_passpurchase WHERE subscription_id = p_subscription.id
    ORDER BY store_starts_at DESC, store_ends_at DESC, transaction_id COLLATE "C" DESC LIMIT 1;
    IF v_latest.id IS NOT NULL
       AND (p_subscription.state = 'grace' OR until <= v_latest.store_ends_at)
       AND payments_is_refunded(v_latest) THEN
        ended_by := 'refunded';
        SELECT least(until, v_latest.store_starts_at, max(period.store_ends_at)) INTO until
        FROM payments_passpurchase period
        WHERE period.subscription_id = p_subscription.id AND NOT payments_is_refunded(period)
        HAVING count(*) > 0;
    END IF;
END $$;

-- Whether its product's policy lets another viewer who restores a subscription have it.
CREATE FUNCTION payments_is_for_the_asking(
    p_subscription payments_subscription, p_now timestamptz
) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT CASE transfer_policy
        WHEN 'transfer' THEN true
        WHEN 'transfer_if_inactive' THEN NOT EXISTS (
            SELECT FROM payments_subscriptioncover part
            JOIN payments_cover cover ON cover.id = part.cover_id
            WHERE part.subscription_id = p_subscription.id AND cover.closed_at IS NULL
              AND cover.starts_at <= p_now AND cover.ends_at > p_now)
        ELSE false END
    FROM payments_passproduct WHERE id = p_subscription.product_id;
$$;

-- Gives a subscription to another viewer, who has it from now on: what it opens, and what is paid from then on.
-- Returns {"outcome": "transferred" | "own" | "kept" | "too_often"}: a viewer may have it where its product's policy
-- says so, and p_limit times since p_since; an operator may give it always, and that is not counted.
CREATE OR REPLACE FUNCTION payments_transfer_subscription(
    p_subscription uuid, p_viewer uuid, p_operator integer, p_limit integer, p_since timestamptz,
    p_now timestamptz
) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_subscription payments_subscription;
BEGIN
    SELECT * INTO STRICT v_subscription FROM payments_subscription WHERE id = p_subscription;
    PERFORM payments_lock_names(
        v_subscription.provider, v_subscription.environment,
        ARRAY[v_subscription.subscription_id], '{}');
    SELECT * INTO STRICT v_subscription FROM payments_subscription WHERE id = p_subscription;
    IF v_subscription.viewer_id = p_viewer THEN
        RETURN jsonb_build_object('outcome', 'own');
    END IF;
    IF p_operator IS NULL AND NOT payments_is_for_the_asking(v_subscription, p_now) THEN
        RETURN jsonb_build_object('outcome', 'kept');
    END IF;
    IF p_operator IS NULL AND p_limit <= (
        SELECT count(*) FROM payments_subscriptiontransfer
        WHERE subscription_id = p_subscription AND created_at > p_since AND asked_by_id IS NULL
    ) THEN
        RETURN jsonb_build_object('outcome', 'too_often');
    END IF;
    PERFORM payments_lock_wallets(
        ARRAY[v_subscription.viewer_id, p_viewer], v_subscription.environment, p_now);
    INSERT INTO payments_subscriptiontransfer
        (id, subscription_id, from_viewer_id, to_viewer_id, asked_by_id, created_at)
    VALUES (uuidv7(), p_subscription, v_subscription.viewer_id, p_viewer, p_operator, p_now);
    UPDATE payments_subscription SET viewer_id = p_viewer, changed_at = p_now
    WHERE id = p_subscription;
    PERFORM payments_fit_subscription(p_subscription, p_now);
    RETURN jsonb_build_object('outcome', 'transferred');
END $$;
