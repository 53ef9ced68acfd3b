# A job of a flow: sh step.sh NAME FAILURES SECONDS. So many of its attempts fail before one succeeds.
# It enters its start and its end into the ledger, a line in one write each: their order is that of the events. From start
# to end it holds a lock, which the kernel takes back when nothing of it is left.
attempt=$QUEUECTL_ATTEMPT
exec 9>"$CHAOS_LEDGER.locks/$1"
flock -n 9 || echo "overlap $1 $attempt" >>"$CHAOS_LEDGER"
echo "start $1 $attempt" >>"$CHAOS_LEDGER"
[ "$3" = 0 ] || sleep "$3"
[ "$attempt" -gt "$2" ]
code=$?
echo "end $1 $attempt $code" >>"$CHAOS_LEDGER"
exit $code
