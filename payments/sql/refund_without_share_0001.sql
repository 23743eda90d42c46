-- Refunds as the release before records them: it knows amounts alone, and goes on serving while this one is put in
-- its place. To be dropped by the release after.
CREATE OR REPLACE FUNCTION payments_record_refund(
    p_provider text, p_environment text, p_transaction_id text, p_refund_id text, p_origin text,
    p_amount bigint, p_reason text, p_operator integer, p_refunded_at timestamptz,
    p_reversed_at timestamptz, p_now timestamptz
) RETURNS jsonb
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT payments_record_refund(
        p_provider, p_environment, p_transaction_id, p_refund_id, p_origin, p_amount,
        NULL::integer, p_reason, p_operator, p_refunded_at, p_reversed_at, p_now);
$$;
