"""The methods of the SDK that stand for an operation which the server has. All of them have to be tested."""

OPERATIONS = frozenset(
    f"{resource}.{method}"
    for resource, methods in {
        "application": "create delete get get_or_create list patch upsert",
        "authentication": "app_portal_access logout",
        "endpoint": "create delete get get_headers get_secret get_stats list patch patch_headers recover rotate_secret"
        " send_example set_headers upsert",
        "event_type": "create delete get list patch upsert",
        "health": "get",
        "message": "create expunge_content get list",
        "message_attempt": "expunge_content get list_attempted_destinations list_attempted_messages list_by_endpoint"
        " list_by_msg resend",
    }.items()
    for method in methods.split()
)
